extension JSONValue {
    /// Reads one whole JSON text (RFC 8259). Repeated member names are refused; numbers of any size are kept.
    public init(parsing text: [UInt8]) throws(JSONError) {
        try self.init(parsing: JSONSlice(validating: text))
    }

    /// Reads a value that is part of a longer text. Repeated member names are refused; numbers of any size are kept.
    public init(parsing slice: JSONSlice) throws(JSONError) {
        var scanner = JSONScanner(slice, checking: .names)
        self = try scanner.value()
    }

    /// Compact JSON: no white space, members in their order. A ``number(_:)`` whose text is no JSON number is `null`.
    public func encoded() -> [UInt8] {
        var text = JSONText()
        append(to: &text)
        return text.bytes
    }

    /// JSON for people: a member or element per line, two spaces for each level, no line end after the last.
    public func prettyPrinted() -> String {
        var text = JSONText()
        append(to: &text, indentation: 0)
        return String(decoding: text.bytes, as: UTF8.self)
    }

    package func append(to text: inout JSONText) {
        switch self {
        case .array(let elements):
            text.append(raw: "[")
            for (position, element) in elements.enumerated() {
                if position > 0 { text.append(raw: ",") }
                element.append(to: &text)
            }
            text.append(raw: "]")
        case .object(let members):
            text.append(raw: "{")
            for (position, member) in members.enumerated() {
                if position > 0 { text.append(raw: ",") }
                text.append(string: member.name)
                text.append(raw: ":")
                member.value.append(to: &text)
            }
            text.append(raw: "}")
        default:
            appendScalar(to: &text)
        }
    }

    private func append(to text: inout JSONText, indentation: Int) {
        switch self {
        case .array(let elements) where !elements.isEmpty:
            text.append(raw: "[")
            for (position, element) in elements.enumerated() {
                Self.newLine(position > 0, indentation + 1, in: &text)
                element.append(to: &text, indentation: indentation + 1)
            }
            Self.newLine(false, indentation, in: &text)
            text.append(raw: "]")
        case .object(let members) where !members.isEmpty:
            text.append(raw: "{")
            for (position, member) in members.enumerated() {
                Self.newLine(position > 0, indentation + 1, in: &text)
                text.append(string: member.name)
                text.append(raw: ": ")
                member.value.append(to: &text, indentation: indentation + 1)
            }
            Self.newLine(false, indentation, in: &text)
            text.append(raw: "}")
        default:
            append(to: &text)
        }
    }

    private func appendScalar(to text: inout JSONText) {
        switch self {
        case .null, .array, .object: text.append(raw: "null")
        case .bool(let value): text.append(raw: value ? "true" : "false")
        case .integer(let value): text.append(integer: value)
        case .number(let literal): text.append(raw: JSONScanner.isNumber(literal) ? literal : "null")
        case .string(let value): text.append(string: value)
        }
    }

    private static func newLine(_ comma: Bool, _ indentation: Int, in text: inout JSONText) {
        text.append(raw: comma ? ",\n" : "\n")
        text.append(raw: repeatElement(UInt8(ascii: " "), count: 2 * indentation))
    }
}

extension JSONScanner {
    /// Passes one value and builds it.
    fileprivate mutating func value() throws(JSONError) -> JSONValue {
        switch next {
        case UInt8(ascii: "{"):
            var object = try openObject()
            var members: [JSONValue.Member] = []
            while let name = try nextMember(&object) {
                members.append(JSONValue.Member(string(name), try value()))
            }
            return .object(members)
        case UInt8(ascii: "["):
            var array = try openArray()
            var elements: [JSONValue] = []
            while try nextElement(&array) {
                elements.append(try value())
            }
            return .array(elements)
        case UInt8(ascii: "\""):
            return .string(string(try scanString()))
        case UInt8(ascii: "t"):
            try skip("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try skip("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try skip("null")
            return .null
        default:
            let token = try scanNumber()
            let literal = text(token)
            guard let value = integer(token), literal != "-0" else { return .number(literal) }
            return .integer(value)
        }
    }
}
