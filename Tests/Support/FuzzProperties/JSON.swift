import AgentProtocol
import Foundation

extension FuzzTarget {
    static let json = FuzzTarget("json", "the JSON scanner beside two other readers", longestInput: 4_096) {
        text throws(Violation) in
        let plain = PlainJSON.read(text)
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: text)
        } catch {
            try require(isOneLine(error.message), "the message is not one line: \(error.message.debugDescription)")
            guard let plain else { return }
            try require(
                !plain.hasUniqueNames || plain.depth > ProtocolLimits.depth, "JSON was refused: \(error.message)")
            return
        }
        let read = try require(plain, "what is no JSON was taken")
        try require(Self.plain(value) == read, "the value is another")
        try require(read.hasUniqueNames && read.depth <= ProtocolLimits.depth, "JSON was taken that should not be")
        try require((try? JSONValue(parsing: value.encoded())) == value, "the compact text is another value")
        let pretty = value.prettyPrinted()
        try require((try? JSONValue(parsing: Array(pretty.utf8))) == value, "the text for people is another value")
        // What overflows a double is all that Foundation refuses beyond the grammar.
        if (try? JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)) == nil {
            try require(Self.overflows(read), "Foundation does not read it")
        }
    }

    private static func plain(_ value: JSONValue) -> PlainJSON {
        switch value {
        case .null: .literal("null")
        case .bool(let value): .literal(value ? "true" : "false")
        case .integer(let value): .number("\(value)")
        case .number(let text): .number(text)
        case .string(let text): .string(Array(text.utf8))
        case .array(let elements): .array(elements.map(plain))
        case .object(let members): .object(members.map { .init(name: Array($0.name.utf8), value: plain($0.value)) })
        }
    }

    private static func overflows(_ value: PlainJSON) -> Bool {
        switch value {
        case .number(let text): Double(text)?.isFinite != true
        case .array(let elements): elements.contains(where: overflows)
        case .object(let members): members.contains { overflows($0.value) }
        default: false
        }
    }
}
