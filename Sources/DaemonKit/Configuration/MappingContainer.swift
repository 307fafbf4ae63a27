import StrictJSON
import Yams

/// A YAML mapping whose keys are all known to `Key`.
struct MappingContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let decoder: NodeDecoder
    private let values: [String: Node]

    /// Refuses keys that `Key` cannot be made from, keys that are no text, and repeated ones.
    init(_ decoder: NodeDecoder) throws {
        guard let mapping = decoder.node.mapping else {
            throw decoder.mismatch("a mapping", hint: "write key: value pairs, one per line")
        }
        var values: [String: Node] = [:]
        for (keyNode, value) in mapping {
            let place = NodeDecoder(node: keyNode, path: decoder.path, file: decoder.file)
            guard let name = keyNode.scalar?.string else {
                throw place.failure(.syntax, "a key must be text", hint: "write key: value")
            }
            guard Key(stringValue: name) != nil else { throw Self.unknown(name, at: place) }
            guard values.updateValue(value, forKey: name) == nil else {
                throw ConfigurationError.duplicateKey(name, file: decoder.file, mark: keyNode.mark)
            }
        }
        self.decoder = decoder
        self.values = values
    }

    var codingPath: [any CodingKey] { decoder.path }
    var allKeys: [Key] { values.keys.sorted().compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { values[key.stringValue] != nil }

    func decodeNil(forKey key: Key) throws -> Bool { try child(key).decodeNil() }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value { try child(key).decode(type) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try child(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try child(key).unkeyedContainer() }

    func superDecoder() throws -> any Decoder { decoder }

    func superDecoder(forKey key: Key) throws -> any Decoder { try child(key) }

    private func child(_ key: Key) throws -> NodeDecoder {
        guard let node = values[key.stringValue] else {
            let name = (decoder.path + [key]).map(\.stringValue).joined(separator: ".")
            throw decoder.failure(.missingKey, "\"\(name)\" is missing", hint: "add it; it has no default")
        }
        return NodeDecoder(node: node, path: decoder.path + [key], file: decoder.file)
    }

    private static func unknown(_ name: String, at place: NodeDecoder) -> ConfigurationError {
        let known = knownKeys
        let nearest = nearest(to: name, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
        let hint = known.isEmpty ? "remove it" : "remove it; the keys here are \(known.joined(separator: ", "))"
        return place.failure(.unknownKey, "unknown key \"\(name)\"\(nearest)", hint: hint)
    }

    /// The keys `Key` lists, empty when it does not list them.
    private static var knownKeys: [String] {
        func names<Keys: CaseIterable>(_ type: Keys.Type) -> [String] {
            type.allCases.compactMap { ($0 as? any CodingKey)?.stringValue }
        }
        guard let type = Key.self as? any CaseIterable.Type else { return [] }
        return names(type)
    }
}
