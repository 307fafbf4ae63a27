import Foundation

/// 64-bit integers as the gateway has them: strings when it writes, strings or numbers when it reads.
struct WireInteger: Encodable {
    let value: Int64

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(value))
    }
}

/// Bytes as the gateway has them: base64 with padding.
struct WireBytes: Encodable {
    let bytes: [UInt8]

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(bytes).base64EncodedString())
    }
}

/// The one way in which answers are read: what is absent is zero, false or empty, an integer may be a string, and what is not
/// asked for is passed over.
struct LenientFields {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let container: KeyedDecodingContainer<Name>

    init(_ decoder: any Decoder) throws {
        container = try decoder.container(keyedBy: Name.self)
    }

    func has(_ name: String) -> Bool {
        let name = Name(stringValue: name)
        return container.contains(name) && (try? container.decodeNil(forKey: name)) == false
    }

    func integer(_ name: String) throws -> Int64 { try number(name) }

    func unsigned(_ name: String) throws -> UInt64 { try number(name) }

    func flag(_ name: String) throws -> Bool { try value(name) ?? false }

    func text(_ name: String) throws -> String { try value(name) ?? "" }

    func bytes(_ name: String) throws -> [UInt8] {
        let text = try text(name)
        guard let data = Data(base64Encoded: text) else { throw malformed(name, "is not base64") }
        return Array(data)
    }

    func list<Element: Decodable>(_ name: String) throws -> [Element] { try value(name) ?? [] }

    /// `nil` when it is absent.
    func value<Value: Decodable>(_ name: String) throws -> Value? {
        try container.decodeIfPresent(Value.self, forKey: Name(stringValue: name))
    }

    private func number<Number: FixedWidthInteger & Decodable>(_ name: String) throws -> Number {
        guard has(name) else { return 0 }
        if let number = try? container.decode(Number.self, forKey: Name(stringValue: name)) { return number }
        guard let number = Number(try text(name)) else { throw malformed(name, "is not an integer") }
        return number
    }

    private func malformed(_ name: String, _ what: String) -> DecodingError {
        .dataCorruptedError(forKey: Name(stringValue: name), in: container, debugDescription: "\(name) \(what)")
    }
}
