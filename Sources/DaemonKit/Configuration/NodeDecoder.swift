import Platform
import StrictJSON
import Yams

/// Decodes one YAML node; knows where it stands, so that whatever goes wrong in it is reported there.
struct NodeDecoder: Decoder, SingleValueDecodingContainer {
    let node: Node
    let path: [any CodingKey]
    let file: String

    var codingPath: [any CodingKey] { path }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(try MappingContainer<Key>(self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard let sequence = node.sequence else { throw mismatch("a list", hint: "write a list: [a, b]") }
        return SequenceContainer(decoder: self, nodes: Array(sequence))
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    /// Decodes any type and gives errors that have no place yet the place of this node.
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        do {
            return try Value(from: self)
        } catch let error as InvalidConfigurationValue {
            throw failure(.invalidValue, error.message, hint: error.hint)
        } catch let error as PlatformError {
            throw failure(.invalidValue, error.message, hint: error.hint)
        } catch let error as DecodingError {
            guard case .dataCorrupted = error, let text = node.scalar?.string, let names = Self.caseNames(of: type) else {
                throw error
            }
            let nearest = nearest(to: text, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
            throw failure(
                .invalidValue, "\(subject) cannot be \"\(text)\"\(nearest)", hint: "one of \(names.joined(separator: ", "))")
        }
    }

    /// The raw values of an enumeration of strings, nil for any other type.
    private static func caseNames(of type: any Any.Type) -> [String]? {
        func names<Cases: CaseIterable>(_ type: Cases.Type) -> [String] {
            type.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
        }
        guard let type = type as? any CaseIterable.Type else { return nil }
        let found = names(type)
        return found.isEmpty ? nil : found
    }

    // MARK: scalars

    /// A key without a value, `~` or `null`.
    func decodeNil() -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    func decode(_: String.Type) throws -> String {
        guard let scalar = node.scalar, !decodeNil() else { throw mismatch("text", hint: "write text, in quotes if in doubt") }
        return scalar.string
    }

    func decode(_: Bool.Type) throws -> Bool {
        switch plainText {
        case "true": return true
        case "false": return false
        default: throw mismatch("true or false", hint: "write true or false, without quotes")
        }
    }

    func decode(_: Double.Type) throws -> Double {
        guard let value = plainText.flatMap(Double.init), value.isFinite else {
            throw mismatch("a number", hint: "write a number, without quotes")
        }
        return value
    }

    func decode(_: Float.Type) throws -> Float { Float(try decode(Double.self)) }
    func decode(_: Int.Type) throws -> Int { try integer() }
    func decode(_: Int8.Type) throws -> Int8 { try integer() }
    func decode(_: Int16.Type) throws -> Int16 { try integer() }
    func decode(_: Int32.Type) throws -> Int32 { try integer() }
    func decode(_: Int64.Type) throws -> Int64 { try integer() }
    func decode(_: UInt.Type) throws -> UInt { try integer() }
    func decode(_: UInt8.Type) throws -> UInt8 { try integer() }
    func decode(_: UInt16.Type) throws -> UInt16 { try integer() }
    func decode(_: UInt32.Type) throws -> UInt32 { try integer() }
    func decode(_: UInt64.Type) throws -> UInt64 { try integer() }

    private func integer<Value: FixedWidthInteger>() throws -> Value {
        guard let value = plainText.flatMap({ Value($0) }) else {
            throw mismatch(
                "a whole number from \(Value.min) to \(Value.max)", hint: "write a decimal number, without quotes and units")
        }
        return value
    }

    private var plainText: String? {
        guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return nil }
        return scalar.string
    }

    // MARK: errors

    /// What the node is called in messages: `"socket.mode"`, `the file`.
    var subject: String {
        path.isEmpty ? "the file" : "\"\(path.map(\.stringValue).joined(separator: "."))\""
    }

    func failure(_ code: ConfigurationError.Code, _ message: String, hint: String) -> ConfigurationError {
        ConfigurationError(code, message, hint: hint, file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }

    func mismatch(_ expected: String, hint: String) -> ConfigurationError {
        let found =
            switch node {
            case .mapping: "a mapping"
            case .sequence: "a list"
            case .scalar(let scalar): decodeNil() ? "nothing" : "\"\(scalar.string)\""
            case .alias: "an alias"
            }
        return failure(.invalidValue, "\(subject) must be \(expected), not \(found)", hint: hint)
    }
}
