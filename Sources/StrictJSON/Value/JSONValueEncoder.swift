/// Encodes into a ``JSONEncodingNode``. Unlike Foundation's it keeps the order in which members are encoded, so that a reply
/// reads as its type is declared.
struct JSONValueEncoder: Encoder {
    let node: JSONEncodingNode
    let codingPath: [any CodingKey]

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.becomeObject()
        return KeyedEncodingContainer(JSONKeyedEncodingContainer(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.becomeArray()
        return JSONUnkeyedEncodingContainer(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        JSONSingleValueEncodingContainer(node: node, codingPath: codingPath)
    }
}

/// A value while it is being encoded: containers of one value may be open side by side, so each has its place here.
final class JSONEncodingNode {
    enum Content {
        case value(JSONValue)
        case object([(name: String, node: JSONEncodingNode)])
        case array([JSONEncodingNode])
    }

    var content: Content?

    /// What has been encoded; an empty object for a type that encoded nothing.
    var value: JSONValue {
        switch content {
        case nil: .object([])
        case .value(let value): value
        case .object(let members): .object(members.map { JSONValue.Member($0.name, $0.node.value) })
        case .array(let nodes): .array(nodes.map(\.value))
        }
    }

    func encode(_ value: some Encodable, at codingPath: [any CodingKey]) throws {
        switch value {
        case let value as JSONValue: content = .value(value)
        case let value as String: content = .value(.string(value))
        case let value as Bool: content = .value(.bool(value))
        case let value as any BinaryInteger:
            content = .value(Int64(exactly: value).map(JSONValue.integer) ?? .number("\(value)"))
        case let value as any BinaryFloatingPoint:
            let number = Double(value)
            guard number.isFinite else {
                throw EncodingError.invalidValue(
                    value, .init(codingPath: codingPath, debugDescription: "JSON has no number that is not finite"))
            }
            content = .value(.number("\(number)"))
        default:
            try value.encode(to: JSONValueEncoder(node: self, codingPath: codingPath))
        }
    }

    func becomeObject() {
        if case .object = content { return }
        content = .object([])
    }

    func becomeArray() {
        if case .array = content { return }
        content = .array([])
    }

    func member(_ name: String) -> JSONEncodingNode {
        let node = JSONEncodingNode()
        if case .object(var members) = content {
            content = nil
            members.append((name, node))
            content = .object(members)
        }
        return node
    }

    func element() -> JSONEncodingNode {
        let node = JSONEncodingNode()
        if case .array(var nodes) = content {
            content = nil
            nodes.append(node)
            content = .array(nodes)
        }
        return node
    }

    var count: Int {
        if case .array(let nodes) = content { nodes.count } else { 0 }
    }
}

private struct JSONKeyedEncodingContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONEncodingNode
    let codingPath: [any CodingKey]

    func encodeNil(forKey key: Key) {
        node.member(key.stringValue).content = .value(.null)
    }

    func encode(_ value: some Encodable, forKey key: Key) throws {
        try node.member(key.stringValue).encode(value, at: codingPath + [key])
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        encoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        encoder(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        encoder(JSONKey("super"))
    }

    func superEncoder(forKey key: Key) -> any Encoder {
        encoder(key)
    }

    private func encoder(_ key: any CodingKey) -> JSONValueEncoder {
        JSONValueEncoder(node: node.member(key.stringValue), codingPath: codingPath + [key])
    }
}

private struct JSONUnkeyedEncodingContainer: UnkeyedEncodingContainer {
    let node: JSONEncodingNode
    let codingPath: [any CodingKey]

    var count: Int { node.count }

    func encodeNil() {
        node.element().content = .value(.null)
    }

    func encode(_ value: some Encodable) throws {
        let path = codingPath + [JSONKey(index: count)]
        try node.element().encode(value, at: path)
    }

    func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
        encoder().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        encoder().unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        encoder()
    }

    private func encoder() -> JSONValueEncoder {
        let path = codingPath + [JSONKey(index: count)]
        return JSONValueEncoder(node: node.element(), codingPath: path)
    }
}

private struct JSONSingleValueEncodingContainer: SingleValueEncodingContainer {
    let node: JSONEncodingNode
    let codingPath: [any CodingKey]

    func encodeNil() {
        node.content = .value(.null)
    }

    func encode(_ value: some Encodable) throws {
        try node.encode(value, at: codingPath)
    }
}
