extension JSONScanner {
    /// From this many members on an object's names go into an index: comparing each with each would let one line of 64 KiB
    /// cost millions of comparisons.
    private static let largeObject = 16

    /// How names are told apart in an index.
    enum MemberName: Hashable {
        /// By their bytes. Swift's `String` would call two spellings of one character equal, which JSON does not
        /// (RFC 8259 §8.3).
        case exact([UInt8])
        /// By what parsers that are less exact make of them: see ``CaseFolding``.
        case caseless(String)
    }

    /// Refuses a name the object already has, and remembers it.
    mutating func record(_ token: StringToken, in object: inout Level, at start: Int) throws(JSONError) {
        let isCaseless = checks.contains(.readings)
        if isCaseless, isMisreadName(token) {
            throw JSONError(.misreadMember, at: start, member: string(token))
        }
        guard object.index == nil, token.isPlain || !isCaseless else {
            return try enter(token, in: &object, at: start)
        }
        for position in object.base..<names.count where isSame(names[position], token, caseless: isCaseless) {
            throw repeated(token, names[position], at: start)
        }
        names.append(token)
        if names.count - object.base == Self.largeObject {
            object.index = try indexedNames(of: object)
        }
    }

    /// Remembers a name of an object that has an index, or that gets one now.
    private mutating func enter(_ token: StringToken, in object: inout Level, at start: Int) throws(JSONError) {
        if object.index == nil { object.index = try indexedNames(of: object) }
        if let earlier = object.index?.updateValue(token, forKey: try name(token, at: start)) {
            throw repeated(token, earlier, at: start)
        }
    }

    private func indexedNames(of object: Level) throws(JSONError) -> [MemberName: StringToken] {
        var index: [MemberName: StringToken] = [:]
        for token in names[object.base...] { index[try name(token, at: token.start)] = token }
        return index
    }

    private func name(_ token: StringToken, at start: Int) throws(JSONError) -> MemberName {
        guard checks.contains(.readings) else { return .exact(value(of: token)) }
        guard let folded = CaseFolding.folded(value(of: token)) else {
            throw JSONError(.misreadMember, at: start, member: string(token))
        }
        return .caseless(folded)
    }

    private func repeated(_ token: StringToken, _ earlier: StringToken, at start: Int) -> JSONError {
        let isExact = value(of: token) == value(of: earlier)
        return JSONError(isExact ? .repeatedMember : .memberOfOtherCase, at: start, member: string(token))
    }

    /// - Parameter caseless: given for names that are plain only.
    private func isSame(_ left: StringToken, _ right: StringToken, caseless: Bool) -> Bool {
        guard !left.isEscaped, !right.isEscaped else { return value(of: left) == value(of: right) }
        guard left.count == right.count else { return false }
        let text = bytes.span
        for offset in 0..<left.count {
            let byte = text[left.start + offset]
            let difference = byte ^ text[right.start + offset]
            guard difference != 0 else { continue }
            // The two cases of an ASCII letter differ in this bit.
            guard caseless, difference == 0x20, UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 else { return false }
        }
        return true
    }

    /// Whether some parser makes something else of the member than one of this name.
    private func isMisreadName(_ token: StringToken) -> Bool {
        if token.isPlain {
            guard token.count > 8, bytes[token.start] == UInt8(ascii: "_") || bytes[token.start] == UInt8(ascii: "$") else {
                return false
            }
        }
        if isMisread(token) { return true }
        let name = string(token)
        // JavaScript has inherited what the one holds once the object is copied; Rust's serde_json keeps numbers of any
        // precision, and text as it stands, under the others.
        return name == "__proto__" || name.hasPrefix("$serde_json::private::")
    }
}
