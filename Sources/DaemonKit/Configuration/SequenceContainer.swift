import Yams

/// A YAML list.
struct SequenceContainer: UnkeyedDecodingContainer {
    let decoder: NodeDecoder
    let nodes: [Node]
    private(set) var currentIndex = 0

    init(decoder: NodeDecoder, nodes: [Node]) {
        self.decoder = decoder
        self.nodes = nodes
    }

    var codingPath: [any CodingKey] { decoder.path }
    var count: Int? { nodes.count }
    var isAtEnd: Bool { currentIndex >= nodes.count }

    mutating func decodeNil() throws -> Bool {
        guard try element().decodeNil() else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let value = try element().decode(type)
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try superDecoder().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try superDecoder().unkeyedContainer() }

    mutating func superDecoder() throws -> any Decoder {
        let element = try element()
        currentIndex += 1
        return element
    }

    private func element() throws -> NodeDecoder {
        guard !isAtEnd else {
            throw decoder.failure(
                .invalidValue, "\(decoder.subject) has only \(nodes.count) elements", hint: "add what is missing to the list")
        }
        return NodeDecoder(node: nodes[currentIndex], path: decoder.path + [Position(currentIndex)], file: decoder.file)
    }

    /// The place of an element in a list, as a coding path has it.
    private struct Position: CodingKey {
        let index: Int

        init(_ index: Int) { self.index = index }
        init?(intValue: Int) { index = intValue }
        init?(stringValue: String) { nil }

        var intValue: Int? { index }
        var stringValue: String { "\(index)" }
    }
}
