/// What has to be true of a key for a transaction to take effect.
///
/// Of revisions only: a value may come back. The gateway drops fields it does not know without a word, and a comparison
/// without them compares with zero, so no request is put together in any other way.
public enum EtcdComparison: Hashable, Sendable {
    /// The key was last changed at this revision; at 0 it does not exist.
    case modified(String, Int64)
    /// There is no key in the range.
    case noneIn(EtcdKeyRange)
}

public enum EtcdOperation: Hashable, Sendable {
    /// - Parameter lease: the key ends with it; `nil` for one that stays.
    case put(String, [UInt8], lease: Int64? = nil)
    case delete(EtcdKeyRange)
    /// What is there, at most `limit` keys if that is not 0, and of these only what was changed at the revision `since` or later.
    case get(EtcdKeyRange, limit: Int = 0, revision: Int64 = 0, since: Int64 = 0)
}

/// Operations that take effect together if every comparison is true, and others if one is not.
public struct EtcdTransaction: Hashable, Sendable {
    /// The most operations, and the most comparisons, that etcd takes unless it is told otherwise.
    public static let limit = 128

    public var comparisons: [EtcdComparison]
    public var success: [EtcdOperation]
    public var failure: [EtcdOperation]

    public init(
        comparing comparisons: [EtcdComparison] = [], success: [EtcdOperation] = [], failure: [EtcdOperation] = []
    ) {
        self.comparisons = comparisons
        self.success = success
        self.failure = failure
    }
}

/// What became of a transaction.
public struct EtcdOutcome: Sendable {
    /// Whether the comparisons were true.
    public var succeeded: Bool
    /// What the `get`s of the operations that took effect found, in their order, and for the others nothing.
    public var found: [EtcdPage]
    public var revision: Int64
    /// Whether it was sent more than once, so that it may have failed on what it did itself.
    public var isRepeated = false
    /// When the request that was answered was sent, by the clock of the gateway.
    public var sentAt: Int64 = 0
}

/// Keys of one range, in their order.
public struct EtcdPage: Hashable, Sendable, Decodable {
    public var values: [EtcdKeyValue]
    /// Whether there are more in the range than were asked for.
    public var hasMore: Bool
    /// How many there are in the whole range, whenever they were changed.
    public var count: Int64

    static let empty = EtcdPage(values: [], hasMore: false, count: 0)

    package init(values: [EtcdKeyValue], hasMore: Bool, count: Int64) {
        self.values = values
        self.hasMore = hasMore
        self.count = count
    }

    public init(from decoder: any Decoder) throws {
        let fields = try LenientFields(decoder)
        try self.init(values: fields.list("kvs"), hasMore: fields.flag("more"), count: fields.integer("count"))
    }
}
