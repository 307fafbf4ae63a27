/// What a watch has to say at one time.
public struct EtcdWatchMessage: Sendable {
    /// A change of one key.
    public struct Event: Hashable, Sendable {
        /// The key as it is now; of one that was deleted, the key and the revision alone.
        public var value: EtcdKeyValue
        public var isDeletion: Bool
    }

    /// Whether the watch begins with this: what is committed from its revision on will be told.
    public var isBeginning: Bool
    public var events: [Event]
    /// The revision of the store when it was sent; every event up to it has been.
    public var revision: Int64
}

/// One line of a watch.
struct WatchLine: Decodable {
    enum Content {
        case message(EtcdWatchMessage)
        /// Etcd tells no more of it. `compacted` is 0 unless what was asked for is not kept any more.
        case cancelled(reason: String, compacted: Int64)
        case fault(WireAnswer.Fault)
    }

    let content: Content
    let header: AnswerHeader

    private struct Result: Decodable {
        let header: AnswerHeader
        let created, cancelled: Bool
        let compacted: Int64
        let reason: String
        let events: [EtcdWatchMessage.Event]

        init(from decoder: any Decoder) throws {
            let fields = try LenientFields(decoder)
            header = try fields.header()
            created = try fields.flag("created")
            cancelled = try fields.flag("canceled")
            compacted = try fields.integer("compact_revision")
            reason = try fields.text("cancel_reason")
            events = try fields.list("events")
        }
    }

    init(from decoder: any Decoder) throws {
        guard let result: Result = try LenientFields(decoder).value("result") else {
            header = AnswerHeader()
            content = .fault(try WireAnswer.Fault(from: decoder))
            return
        }
        header = result.header
        content =
            result.cancelled || result.compacted != 0
            ? .cancelled(reason: result.reason, compacted: result.compacted)
            : .message(
                EtcdWatchMessage(isBeginning: result.created, events: result.events, revision: result.header.revision))
    }
}

extension EtcdWatchMessage.Event: Decodable {
    public init(from decoder: any Decoder) throws {
        let fields = try LenientFields(decoder)
        guard let value: EtcdKeyValue = try fields.value("kv") else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "an event without a key"))
        }
        let kind: String = try fields.text("type")
        self.init(value: value, isDeletion: kind == "DELETE")
    }
}
