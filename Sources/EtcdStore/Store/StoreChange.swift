import Foundation
import IssuerStore
import KeyLifecycle

/// Keys as they were read at one revision; what is not there does not exist.
struct StoreSnapshot: Sendable {
    private(set) var values: [String: EtcdKeyValue] = [:]
    var revision: Int64 = 0
    /// When the request was sent that fixed the revision.
    var sentAt: Int64 = 0

    mutating func add(_ found: [EtcdKeyValue]) {
        for value in found { values[value.name] = value }
    }

    func exists(_ key: String) -> Bool { values[key] != nil }

    /// 0 for a key that does not exist.
    func revision(of key: String) -> Int64 { values[key]?.modified ?? 0 }

    /// What begins so, in the order of the keys.
    func under(_ prefix: String) -> [EtcdKeyValue] {
        values.filter { $0.key.hasPrefix(prefix) }.map(\.value).sorted { $0.name < $1.name }
    }

    /// - Throws: `StoreError` with `.corrupt` when it cannot be read; `nil` when it does not exist.
    func record<Record: StoreRecord>(_ key: String) throws(StoreError) -> Record? {
        guard let value = values[key] else { return nil }
        return try Record.decoded(value)
    }
}

extension StoreRecord {
    static func decoded(_ value: EtcdKeyValue) throws(StoreError) -> Self {
        do {
            return try JSONDecoder().decode(Self.self, from: Data(value.value))
        } catch {
            throw .edited("\(value.name) cannot be read", cause: error)
        }
    }

    /// The same bytes for the same record.
    func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts, numbers and truth values: there is nothing in these that JSON cannot hold.
        return (try? encoder.encode(self)).map(Array.init) ?? []
    }
}

/// A transaction in the making: what it writes, and what it was decided by and must find unchanged.
struct StoreChange: Sendable {
    /// Random; in everything that this change writes.
    let id: String
    private(set) var compared: [String: Int64] = [:]
    private(set) var written: [String: [UInt8]] = [:]
    private var deleted: [String: EtcdKeyRange] = [:]
    /// Those of what it writes that are to be sealed.
    private(set) var issuers: [String: RecordSeal] = [:]
    /// What it writes of `meta`, when the epoch in that is to be sealed.
    private(set) var raised: (key: String, meta: MetaRecord)?
    /// Whether it is a commit, which every agent has to know of.
    var movesHead = true

    init(id: String) {
        self.id = id
    }

    /// Whether a value is of this change.
    func hasWritten(_ value: EtcdKeyValue) -> Bool {
        (try? JSONDecoder().decode(AnyRecord.self, from: Data(value.value)))?.change == id
    }

    /// How many operations it has, the change of `head` included.
    var size: Int { max(written.count + deleted.count + 1, compared.count) }

    /// The key is as it was read, or still does not exist.
    mutating func compare(_ key: String, in snapshot: StoreSnapshot) {
        compared[key] = snapshot.revision(of: key)
    }

    /// - Throws: `StoreError` with `.tooLarge`.
    mutating func put(_ key: String, _ record: some StoreRecord) throws(StoreError) {
        var record = record
        record.change = id
        let bytes = record.encoded()
        guard bytes.count <= StoreLayout.valueLimit else {
            throw .tooLarge("\(key) would have \(bytes.count) bytes, and a value has at most \(StoreLayout.valueLimit)")
        }
        deleted[key] = nil
        written[key] = bytes
    }

    /// As `put(_:_:)`, to be sealed before it is sent.
    ///
    /// - Parameter ended: every key of the issuer that has ended.
    mutating func put(_ key: String, _ name: IssuerName, _ record: IssuerRecord, ended: [KeyRecord]) throws(StoreError) {
        try put(key, record)
        var record = record
        record.change = id
        issuers[key] = RecordSeal(name: name, record: record, ended: ended)
    }

    /// As `put(_:_:)`, with the epoch to be sealed before it is sent.
    mutating func put(_ key: String, raised meta: MetaRecord) throws(StoreError) {
        var meta = meta
        meta.epochSeal = nil
        try put(key, meta)
        raised = (key, meta)
    }

    mutating func delete(_ key: String) {
        written[key] = nil
        issuers[key] = nil
        deleted[key] = .key(key)
    }

    mutating func delete(prefix: String) {
        deleted[prefix] = .prefix(prefix)
    }

    /// - Throws: `StoreError` with `.tooLarge` when etcd would not take it.
    func transaction(head: String) throws(StoreError) -> EtcdTransaction {
        guard size <= EtcdTransaction.limit else {
            throw .tooLarge("the change has \(size) parts, and etcd takes \(EtcdTransaction.limit) at once")
        }
        var mark = HeadRecord()
        mark.change = id
        return EtcdTransaction(
            comparing: compared.sorted { $0.key < $1.key }.map { .modified($0.key, $0.value) },
            success: deleted.sorted { $0.key < $1.key }.map { .delete($0.value) }
                + written.sorted { $0.key < $1.key }.map { .put($0.key, $0.value) }
                + (movesHead ? [.put(head, mark.encoded())] : []))
    }
}
