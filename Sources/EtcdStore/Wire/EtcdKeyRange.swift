/// The keys that a call is about: from `start` on, up to and without `end`.
public struct EtcdKeyRange: Hashable, Sendable {
    public var start: [UInt8]
    /// Empty for `start` alone.
    public var end: [UInt8]

    /// One key.
    public static func key(_ key: String) -> EtcdKeyRange {
        EtcdKeyRange(start: Array(key.utf8), end: [])
    }

    /// Every key from the one on and before the other.
    public static func between(_ start: String, _ end: String) -> EtcdKeyRange {
        EtcdKeyRange(start: Array(start.utf8), end: Array(end.utf8))
    }

    /// Every key that begins so.
    public static func prefix(_ prefix: String) -> EtcdKeyRange {
        EtcdKeyRange(start: Array(prefix.utf8), end: after(prefix: Array(prefix.utf8)))
    }

    /// The first key that does not begin so any more; etcd's sign for no end where there is none.
    static func after(prefix: [UInt8]) -> [UInt8] {
        var end = prefix
        while let last = end.popLast() {
            if last < 0xFF { return end + [last + 1] }
        }
        return [0]
    }
}

/// A key with its value and what etcd counts of it.
public struct EtcdKeyValue: Hashable, Sendable {
    public var key: [UInt8]
    public var value: [UInt8]
    /// The revision at which it came to be.
    public var created: Int64
    /// The revision of its last change; 0 in a comparison stands for a key that does not exist.
    public var modified: Int64
    /// 0 without a lease.
    public var lease: Int64

    /// The key as text.
    public var name: String { String(decoding: key, as: UTF8.self) }
}

extension EtcdKeyValue: Decodable {
    public init(from decoder: any Decoder) throws {
        let fields = try LenientFields(decoder)
        try self.init(
            key: fields.bytes("key"), value: fields.bytes("value"), created: fields.integer("create_revision"),
            modified: fields.integer("mod_revision"), lease: fields.integer("lease"))
    }
}
