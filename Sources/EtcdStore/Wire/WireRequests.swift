import Foundation

/// The bodies of requests. Fields are spelled as the gateway spells them (etcd's rpc.proto, in JSON).
enum WireRequest {
    /// Never `serializable`: a member that is cut off from the majority would answer from its own memory.
    struct Range: Encodable {
        var key: WireBytes
        var range_end: WireBytes?
        var limit: WireInteger?
        var revision: WireInteger?
        var min_mod_revision: WireInteger?
        var keys_only: Bool?
        var count_only: Bool?

        init(
            _ range: EtcdKeyRange, limit: Int = 0, revision: Int64 = 0, since: Int64 = 0, keysOnly: Bool = false,
            countOnly: Bool = false
        ) {
            key = WireBytes(bytes: range.start)
            range_end = range.wireEnd
            self.limit = limit == 0 ? nil : WireInteger(value: Int64(limit))
            self.revision = revision == 0 ? nil : WireInteger(value: revision)
            min_mod_revision = since == 0 ? nil : WireInteger(value: since)
            keys_only = keysOnly ? true : nil
            count_only = countOnly ? true : nil
        }
    }

    struct Put: Encodable {
        var key: WireBytes
        var value: WireBytes
        var lease: WireInteger?
    }

    struct Delete: Encodable {
        var key: WireBytes
        var range_end: WireBytes?
    }

    struct Compare: Encodable {
        var target: String
        var result = "EQUAL"
        var key: WireBytes
        var range_end: WireBytes?
        var mod_revision: WireInteger?
        var create_revision: WireInteger?

        init(_ comparison: EtcdComparison) {
            switch comparison {
            case .modified(let key, let revision):
                target = "MOD"
                self.key = WireBytes(bytes: Array(key.utf8))
                mod_revision = WireInteger(value: revision)
            case .noneIn(let range):
                target = "CREATE"
                key = WireBytes(bytes: range.start)
                range_end = range.wireEnd
                create_revision = WireInteger(value: 0)
            }
        }
    }

    struct Operation: Encodable {
        var request_put: Put?
        var request_delete_range: Delete?
        var request_range: Range?

        init(_ operation: EtcdOperation) {
            switch operation {
            case .put(let key, let value, let lease):
                request_put = Put(
                    key: WireBytes(bytes: Array(key.utf8)), value: WireBytes(bytes: value),
                    lease: lease.map { WireInteger(value: $0) })
            case .delete(let range):
                request_delete_range = Delete(key: WireBytes(bytes: range.start), range_end: range.wireEnd)
            case .get(let range, let limit, let revision, let since):
                request_range = Range(range, limit: limit, revision: revision, since: since)
            }
        }
    }

    struct Transaction: Encodable {
        var compare: [Compare]
        var success: [Operation]
        var failure: [Operation]

        init(_ transaction: EtcdTransaction) {
            compare = transaction.comparisons.map { Compare($0) }
            success = transaction.success.map { Operation($0) }
            failure = transaction.failure.map { Operation($0) }
        }
    }

    struct Grant: Encodable {
        var TTL: WireInteger
    }

    struct Lease: Encodable {
        var ID: WireInteger
    }

    struct Watch: Encodable {
        struct Create: Encodable {
            var key: WireBytes
            var range_end: WireBytes?
            var start_revision: WireInteger
        }
        var create_request: Create

        init(_ range: EtcdKeyRange, from revision: Int64) {
            create_request = Create(
                key: WireBytes(bytes: range.start), range_end: range.wireEnd, start_revision: WireInteger(value: revision))
        }
    }

    struct Authenticate: Encodable {
        var name: String
        var password: String
    }

    struct Alarm: Encodable {
        var action = "GET"
    }

    struct Empty: Encodable {}

    static func bytes(_ request: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        // Texts, numbers, truth values and lists of them: there is nothing in these that JSON cannot hold.
        return (try? encoder.encode(request)).map(Array.init) ?? []
    }
}

extension EtcdKeyRange {
    fileprivate var wireEnd: WireBytes? { end.isEmpty ? nil : WireBytes(bytes: end) }
}
