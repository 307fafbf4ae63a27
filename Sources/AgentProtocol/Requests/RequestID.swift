import StrictJSON

/// The `id` of a request: a string or an integer, echoed in the reply as it was written (JSON-RPC 2.0 §4).
public struct RequestID: Hashable, Sendable, CustomStringConvertible {
    private enum Storage: Hashable, Sendable {
        /// Written as its decimal digits and nothing else.
        case integer(Int64)
        /// Anything else, as the bytes it came in.
        case literal([UInt8])
    }

    private let storage: Storage

    public init(_ value: Int64) {
        storage = .integer(value)
    }

    public init(_ text: String) {
        var literal = JSONText()
        literal.append(string: text)
        storage = .literal(literal.bytes)
    }

    /// The id at the scanner's cursor; nil when the value there, which is passed in any case, cannot be an id.
    init?(scanning scanner: inout JSONScanner) throws(JSONError) {
        let start = scanner.index
        if scanner.isAtString {
            _ = try scanner.scanString()
        } else if scanner.isAtNumber {
            let token = try scanner.scanNumber()
            guard token.isInteger else { return nil }
            let isNegativeZero = token.end - token.start == 2 && scanner.bytes[token.start + 1] == UInt8(ascii: "0")
            if let value = scanner.integer(token), !(value == 0 && isNegativeZero) {
                storage = .integer(value)
                return
            }
        } else {
            try scanner.skipValue()
            return nil
        }
        storage = .literal(Array(scanner.bytes[start..<scanner.index]))
    }

    /// The value of an integer id; nil for a string.
    public var integer: Int64? {
        if case .integer(let value) = storage { value } else { nil }
    }

    /// The id's JSON.
    public var description: String {
        switch storage {
        case .integer(let value): "\(value)"
        case .literal(let bytes): String(decoding: bytes, as: UTF8.self)
        }
    }

    func append(to text: inout JSONText) {
        switch storage {
        case .integer(let value): text.append(integer: value)
        case .literal(let bytes): text.append(raw: bytes)
        }
    }
}
