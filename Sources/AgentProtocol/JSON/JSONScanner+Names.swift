extension JSONScanner {
    /// From this many members on an object's names go into a set: comparing each with each would let one line of 64 KiB
    /// cost millions of comparisons.
    private static let largeObject = 16

    /// Refuses a name the object already has, and remembers it.
    mutating func record(_ token: StringToken, in object: inout Level, at start: Int) throws(JSONError) {
        if !object.large.isEmpty {
            guard object.large.insert(value(of: token)).inserted else {
                throw JSONError(.repeatedMember, at: start, member: string(token))
            }
            return
        }
        for position in object.base..<names.count where isSame(names[position], token) {
            throw JSONError(.repeatedMember, at: start, member: string(token))
        }
        names.append(token)
        if names.count - object.base == Self.largeObject {
            object.large = Set(names[object.base...].map(value(of:)))
        }
    }

    /// Bytes are compared: Swift's `String` would call two spellings of one character equal, which JSON does not
    /// (RFC 8259 §8.3).
    private func isSame(_ left: StringToken, _ right: StringToken) -> Bool {
        guard !left.isEscaped, !right.isEscaped else { return value(of: left) == value(of: right) }
        guard left.count == right.count else { return false }
        let text = bytes.span
        for offset in 0..<left.count where text[left.start + offset] != text[right.start + offset] {
            return false
        }
        return true
    }

    private func value(of name: StringToken) -> [UInt8] {
        name.isEscaped ? unescaped(name) : Array(bytes[name.start..<name.end])
    }
}
