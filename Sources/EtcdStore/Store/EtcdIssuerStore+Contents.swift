import Foundation
public import IssuerStore
public import KeyLifecycle

extension EtcdIssuerStore {
    public func contents() async throws(StoreError) -> StoreContents {
        try await view().contents
    }

    /// Reads `head` alone.
    ///
    /// - Returns: it, and when the read was sent.
    /// - Throws: `StoreError`, with `.displaced` when the store is gone.
    public func head() async throws(StoreError) -> HeadReading {
        let reading = try await Self.asking { () async throws(EtcdError) in try await gateway.read(.key(layout.head)) }
        guard let value = reading.values.first else {
            throw StoreError(
                .displaced, "the store in etcd is gone: \(layout.head) is not there any more",
                hint: "restore etcd's snapshot, and find out who removed it")
        }
        return HeadReading(head: try StoreHead(value), sentAt: reading.sentAt)
    }

    /// What a watch has to be about: every commit, every agent's word of itself.
    public var watched: EtcdKeyRange { .prefix(layout.base) }

    /// Reads everything as of one revision.
    ///
    /// - Throws: `StoreError` with `.corrupt` for what no release writes.
    public func view() async throws(StoreError) -> StoreView {
        try await Self.uncancelled { () async throws(StoreError) in
            for _ in 0..<3 {
                let reading: EtcdReading
                do throws(EtcdError) {
                    reading = try await self.everything()
                } catch {
                    // Compacted between two pages.
                    guard error.code == .compacted else { throw StoreError(error) }
                    continue
                }
                return try await self.view(reading)
            }
            throw StoreError(
                .unavailable, "etcd is compacted faster than the store can be read",
                hint: "compact less often: --auto-compaction-retention=1h keeps more than is needed")
        }
    }

    private func everything() async throws(EtcdError) -> EtcdReading {
        let ranges = layout.contents
        var reading = try await gateway.read(ranges[0])
        for range in ranges.dropFirst() {
            reading.values += try await gateway.read(range, at: reading.revision).values
        }
        return reading
    }

    private func view(_ reading: EtcdReading) async throws(StoreError) -> StoreView {
        let reader = ContentsReader(layout: layout, values: reading.values)
        _ = try meta(reader.snapshot)
        guard let head = reader.snapshot.values[layout.head] else { throw .edited("\(layout.head) is missing") }
        var contents = try reader.contents()
        contents.frontends = await memory.content.frontends
        let regressions = try await compareWithMemory(contents, revision: reading.revision)
        return StoreView(
            contents: contents, head: try StoreHead(head), revision: reading.revision, sentAt: reading.sentAt,
            regressions: regressions)
    }

    /// What the store says less of than it did. Unless there is anything, the memory takes on what it says now.
    private func compareWithMemory(_ contents: StoreContents, revision: Int64) async throws(StoreError) -> [StoreRegression] {
        let known = await memory.content
        let cluster = gateway.hexadecimal(gateway.cluster)
        var found: [StoreRegression] = []
        if let before = known.cluster, before != cluster { found.append(.cluster(known: before, now: cluster)) }
        if revision < known.revision { found.append(.revision(known: known.revision, now: revision)) }
        var now = Dictionary(uniqueKeysWithValues: contents.formerGenerations.map { ($0.key.text, $0.value) })
        for issuer in contents.issuers { now[issuer.name.text] = issuer.generation }
        for (issuer, generation) in known.generations.sorted(by: { $0.key < $1.key }) where generation > now[issuer] ?? 0 {
            found.append(.generation(issuer: issuer, known: generation, now: now[issuer] ?? 0))
        }
        guard found.isEmpty else { return found }
        try await memory.keep { [now] memory in
            memory.cluster = cluster
            memory.revision = max(memory.revision, revision)
            memory.generations.merge(now) { max($0, $1) }
        }
        return []
    }

    public func recognised(_ keyIDs: Set<KeyID>) async throws(StoreError) -> Set<KeyID> {
        try await Self.uncancelled { () async throws(StoreError) in
            let snapshot = try await self.snapshot(keyIDs.map(self.layout.keyID))
            return keyIDs.filter { snapshot.exists(self.layout.keyID($0)) }
        }
    }
}

extension StoreHead {
    init(_ value: EtcdKeyValue) throws(StoreError) {
        self.init(id: try HeadRecord.decoded(value).change, revision: value.modified)
    }
}

/// Makes contents of what lies in etcd.
struct ContentsReader {
    let layout: StoreLayout
    var snapshot = StoreSnapshot()

    init(layout: StoreLayout, values: [EtcdKeyValue]) {
        self.layout = layout
        snapshot.add(values)
    }

    func contents() throws(StoreError) -> StoreContents {
        let (issuers, committed) = try issuers()
        let formers = try records(layout.former) { (record: FormerRecord, name) throws(StoreError) in
            (name: try IssuerName.reading(name), record: record)
        }
        let token: TokenRecord? = try snapshot.record(layout.token)
        let meta: MetaRecord? = try snapshot.record(layout.meta)
        let intents = try records(layout.intents) { (record: IntentRecord, id) throws(StoreError) in
            try record.intent(.reading(id))
        }
        let destructions = try records(layout.destructions) { (record: DestructionRecord, id) throws(StoreError) in
            try record.destruction(.reading(id))
        }
        let quarantined = try records(layout.quarantined) { (record: QuarantinedRecord, id) throws(StoreError) in
            try record.key(.reading(id))
        }
        let lastChange = (committed + formers.map(\.record.deletedAt)).max()
        return StoreContents(
            issuers: issuers, intents: intents, destructions: destructions,
            lastChange: lastChange.map { Timestamp(seconds: $0) }, quarantined: quarantined,
            formerGenerations: Dictionary(formers.map { ($0.name, $0.record.generation) }) { $1 },
            token: token.map { TokenIdentity(label: $0.label, serial: $0.serial) },
            copiedAt: meta?.copiedAt.map { Timestamp(seconds: $0) },
            agents: Set(snapshot.under(layout.starts).map { String($0.name.dropFirst(layout.starts.count)) }))
    }

    /// By name, each with the moment of its latest commit beside.
    private func issuers() throws(StoreError) -> (issuers: [Issuer], committed: [Int64]) {
        var ended: [String: [KeyRecord]] = [:]
        let endedBase = layout.base + "ended/"
        for value in snapshot.under(endedBase) {
            let name = String(value.name.dropFirst(endedBase.count).prefix { $0 != "/" })
            ended[name, default: []].append(try EndedKeyRecord.decoded(value).key)
        }
        var (issuers, committed): ([Issuer], [Int64]) = ([], [])
        for value in snapshot.under(layout.issuers) {
            let name = String(value.name.dropFirst(layout.issuers.count))
            let record = try IssuerRecord.decoded(value)
            issuers.append(try record.issuer(.reading(name), ended: ended[name] ?? []))
            committed.append(record.committedAt)
        }
        return (issuers.sorted { $0.name < $1.name }, committed)
    }

    /// Everything under a prefix in the order in which it came to be.
    private func records<Record: StoreRecord, Value>(
        _ prefix: String, _ make: (Record, String) throws(StoreError) -> Value
    ) throws(StoreError) -> [Value] {
        var made: [(value: Value, created: Int64, order: Int)] = []
        for value in snapshot.under(prefix) {
            let record = try Record.decoded(value)
            let order = (record as? any OrderedRecord)?.order ?? 0
            made.append((try make(record, String(value.name.dropFirst(prefix.count))), value.created, order))
        }
        return made.sorted { ($0.created, $0.order) < ($1.created, $1.order) }.map(\.value)
    }
}

/// Several of these can be made by one change.
private protocol OrderedRecord {
    var order: Int { get }
}

extension DestructionRecord: OrderedRecord {}
extension QuarantinedRecord: OrderedRecord {}
