/// A JSON reader that is slow and plain, written after RFC 8259 alone: the other opinion.
///
/// It keeps what the readers of the product and of Foundation lose: repeated names, names byte for byte, numbers as text.
indirect enum PlainJSON: Equatable {
    case literal(String)
    case number(String)
    case string([UInt8])
    case array([PlainJSON])
    case object([Member])

    struct Member: Equatable {
        let name: [UInt8]
        let value: PlainJSON
    }

    /// The value of a whole text, nil for what is no JSON.
    static func read(_ text: [UInt8]) -> PlainJSON? {
        guard let characters = String(validating: text, as: UTF8.self) else { return nil }
        var reader = PlainJSONReader(characters: Array(characters.unicodeScalars))
        reader.space()
        guard let value = reader.value(depth: 0) else { return nil }
        reader.space()
        return reader.isAtEnd ? value : nil
    }

    var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The only member of this name; nil when there is none or there are several.
    subscript(name: String) -> PlainJSON? {
        let found = (members ?? []).filter { $0.name == Array(name.utf8) }
        return found.count == 1 ? found[0].value : nil
    }

    var text: [UInt8]? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The value of a number without fraction and exponent.
    var integer: Int64? {
        if case .number(let text) = self { Int64(text) } else { nil }
    }

    /// Whether no object, at any depth, has a name twice.
    var hasUniqueNames: Bool {
        switch self {
        case .array(let elements): elements.allSatisfy(\.hasUniqueNames)
        case .object(let members):
            Set(members.map(\.name)).count == members.count && members.allSatisfy { $0.value.hasUniqueNames }
        default: true
        }
    }

    /// Objects and arrays inside each other.
    var depth: Int {
        switch self {
        case .array(let elements): 1 + (elements.map(\.depth).max() ?? 0)
        case .object(let members): 1 + (members.map(\.value.depth).max() ?? 0)
        default: 0
        }
    }

    /// Every string that is a value, at any depth.
    var strings: [[UInt8]] {
        switch self {
        case .string(let text): [text]
        case .array(let elements): elements.flatMap(\.strings)
        case .object(let members): members.flatMap(\.value.strings)
        default: []
        }
    }

    /// Every name of a member, at any depth.
    var names: [[UInt8]] {
        switch self {
        case .array(let elements): elements.flatMap(\.names)
        case .object(let members): members.map(\.name) + members.flatMap(\.value.names)
        default: []
        }
    }
}

private struct PlainJSONReader {
    let characters: [Unicode.Scalar]
    var place = 0

    var isAtEnd: Bool { place == characters.count }
    var next: Unicode.Scalar? { isAtEnd ? nil : characters[place] }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == character else { return false }
        place += 1
        return true
    }

    mutating func space() {
        while let next, [" ", "\t", "\n", "\r"].contains(next) { place += 1 }
    }

    mutating func value(depth: Int) -> PlainJSON? {
        // Deeper than any text that is tried can be, and not so deep that the stack ends.
        guard depth < 2_000 else { return nil }
        switch next {
        case "{": return list("{", "}") { $0.member(depth: depth + 1) }.map(PlainJSON.object)
        case "[": return list("[", "]") { $0.value(depth: depth + 1) }.map(PlainJSON.array)
        case "\"": return string().map(PlainJSON.string)
        case "t": return literal("true")
        case "f": return literal("false")
        case "n": return literal("null")
        default: return number()
        }
    }

    private mutating func list<Element>(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ element: (inout PlainJSONReader) -> Element?
    ) -> [Element]? {
        guard take(open) else { return nil }
        space()
        if take(close) { return [] }
        var elements: [Element] = []
        repeat {
            space()
            guard let element = element(&self) else { return nil }
            elements.append(element)
            space()
        } while take(",")
        return take(close) ? elements : nil
    }

    private mutating func member(depth: Int) -> PlainJSON.Member? {
        guard let name = string() else { return nil }
        space()
        guard take(":") else { return nil }
        space()
        return value(depth: depth).map { PlainJSON.Member(name: name, value: $0) }
    }

    private mutating func literal(_ word: String) -> PlainJSON? {
        for character in word.unicodeScalars where !take(character) { return nil }
        return .literal(word)
    }

    private mutating func string() -> [UInt8]? {
        guard take("\"") else { return nil }
        var text = String.UnicodeScalarView()
        while let character = next {
            place += 1
            switch character {
            case "\"": return Array(String(text).utf8)
            case "\\":
                guard let escaped = escape() else { return nil }
                text.append(escaped)
            case "\u{20}"...: text.append(character)
            default: return nil
            }
        }
        return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
        guard let kind = next else { return nil }
        place += 1
        switch kind {
        case "\"", "\\", "/": return kind
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            guard let unit = codeUnit() else { return nil }
            if let scalar = Unicode.Scalar(unit) { return scalar }
            guard (0xD800..<0xDC00).contains(unit), take("\\"), take("u"), let low = codeUnit(), (0xDC00..<0xE000).contains(low)
            else { return nil }
            return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
        default: return nil
        }
    }

    private mutating func codeUnit() -> UInt32? {
        guard characters.count - place >= 4 else { return nil }
        let digits = characters[place..<place + 4]
        guard digits.allSatisfy(\.properties.isASCIIHexDigit) else { return nil }
        place += 4
        return UInt32(String(String.UnicodeScalarView(digits)), radix: 16)
    }

    private mutating func number() -> PlainJSON? {
        let start = place
        _ = take("-")
        if !take("0") {
            guard digits() else { return nil }
        }
        if take("."), !digits() { return nil }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() else { return nil }
        }
        return .number(String(String.UnicodeScalarView(characters[start..<place])))
    }

    private mutating func digits() -> Bool {
        let start = place
        while let next, ("0"..."9").contains(next) { place += 1 }
        return place > start
    }
}
