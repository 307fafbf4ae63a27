import Foundation
import IssuerStore
import KeyLifecycle

/// Everything that a view shows, as of one revision, with what has been made of it: what did not change is not decoded again.
struct StoredView: Sendable {
    /// An issuer, or why there is none to be believed.
    enum Reading: Sendable {
        case issuer(Issuer, committedAt: Int64)
        case unreadable(StoreError)
    }

    /// Everything but the issuers.
    private struct Rest: Sendable {
        var intents: [GenerationIntent] = []
        var destructions: [PendingDestruction] = []
        var quarantined: [QuarantinedKey] = []
        var formers: [IssuerName: FormerRecord] = [:]
        var agents: Set<String> = []
    }

    let layout: StoreLayout
    private(set) var revision: Int64 = 0
    private(set) var cluster: UInt64 = 0
    private(set) var meta: MetaRecord
    private(set) var head: StoreHead
    private var token: TokenIdentity?
    /// By group, and by what follows in the key.
    private var values: [String: [String: EtcdKeyValue]] = [:]
    /// By issuer, those of `values` under `ended/`, by kid.
    private var ended: [String: [String: EtcdKeyValue]] = [:]
    private var readings: [IssuerName: Reading] = [:]
    /// Of the issuers that could be read, what is sealed of them.
    private var seals: [IssuerName: RecordSeal] = [:]
    /// What the token has said of these. One that is read anew has none.
    private var verdicts: [IssuerName: RecordSeal.Verdict] = [:]
    private var rest = Rest()
    /// What `contents` gives but for the number of frontends.
    private(set) var contents: StoreContents

    /// What was read for the first time, or anew.
    ///
    /// - Throws: `StoreError` with `.corrupt` for what no release writes and is not about one issuer.
    init(_ update: ViewUpdate, layout: StoreLayout) throws(StoreError) {
        self.layout = layout
        (meta, head) = try Self.rule(update, layout)
        contents = StoreContents(issuers: [], intents: [], destructions: [], lastChange: nil)
        _ = try apply(update)
    }

    private static func rule(_ update: ViewUpdate, _ layout: StoreLayout) throws(StoreError) -> (MetaRecord, StoreHead) {
        guard let meta = update.meta else { throw .gone(layout.meta) }
        guard let head = update.head else { throw .edited("\(layout.head) is missing") }
        return (try MetaRecord.decoded(meta), try StoreHead(head))
    }

    /// How many keys a group has.
    func count(_ group: String) -> Int { values[group]?.count ?? 0 }

    func has(_ name: String, in group: String) -> Bool { values[group]?[name] != nil }

    /// The keys of a group, without its prefix.
    func names(_ group: String) -> Set<String> { Set((values[group] ?? [:]).keys) }

    /// What a view has with what it had, and what was removed since.
    ///
    /// - Returns: the issuers that were read.
    mutating func apply(_ update: ViewUpdate) throws(StoreError) -> Set<String> {
        (meta, head) = try Self.rule(update, layout)
        var issuers: Set<String> = []
        var groups: Set<String> = []
        for (group, found) in update.changed {
            for value in found {
                let name = String(value.name.dropFirst(group.count))
                put(value, name, group, &issuers)
            }
            if !found.isEmpty { groups.insert(group) }
        }
        for (group, names) in update.removed where !names.isEmpty {
            for name in names { put(nil, name, group, &issuers) }
            groups.insert(group)
        }
        (revision, cluster) = (update.revision, update.cluster)
        token = try update.token.map { value throws(StoreError) in
            let record = try TokenRecord.decoded(value)
            return TokenIdentity(label: record.label, serial: record.serial)
        }
        guard !groups.isEmpty || contents.token != token || contents.copiedAt?.seconds != meta.copiedAt else { return [] }
        if groups.contains(layout.former) { try readFormers() }
        for name in issuers { try readIssuer(name) }
        try readRest(groups)
        makeContents()
        return issuers
    }

    private mutating func put(_ value: EtcdKeyValue?, _ name: String, _ group: String, _ issuers: inout Set<String>) {
        values[group, default: [:]][name] = value
        switch group {
        case layout.issuers: issuers.insert(name)
        case layout.former: issuers.insert(name)
        case layout.ended:
            let issuer = String(name.prefix { $0 != "/" })
            ended[issuer, default: [:]][name] = value
            if ended[issuer]?.isEmpty == true { ended[issuer] = nil }
            issuers.insert(issuer)
        default: break
        }
    }

    // MARK: Issuers

    /// - Throws: `StoreError` for a name that no issuer can have.
    private mutating func readIssuer(_ text: String) throws(StoreError) {
        let name = try IssuerName.reading(text)
        (seals[name], verdicts[name]) = (nil, nil)
        readings[name] = reading(name)
    }

    private mutating func reading(_ name: IssuerName) -> Reading? {
        let ended = ended[name.text] ?? [:]
        do throws(StoreError) {
            // Looked at for itself: what cannot be read of a former life is no reason to believe the present one.
            if let former = values[layout.former]?[name.text] { _ = try FormerRecord.decoded(former) }
            guard let value = values[layout.issuers]?[name.text] else {
                guard ended.isEmpty else { throw .edited("the issuer \(name) is gone, and its ended keys are there") }
                return nil
            }
            let record = try IssuerRecord.decoded(value)
            var keys: [KeyRecord] = []
            for value in ended.values { keys.append(try EndedKeyRecord.decoded(value).key) }
            let issuer = try record.issuer(name, ended: keys)
            seals[name] = RecordSeal(name: name, record: record, ended: keys)
            return .issuer(issuer, committedAt: record.committedAt)
        } catch {
            return .unreadable(error.about(name))
        }
    }

    /// Issuers that cannot be believed, and why.
    var unreadable: [IssuerName: StoreError] {
        var found: [IssuerName: StoreError] = readings.compactMapValues { reading in
            if case .unreadable(let why) = reading { why } else { nil }
        }
        for case (let name, .wrong(let why)) in verdicts { found[name] = why.about(name) }
        return found
    }

    /// Issuers of whose seal the token could not say anything, as their records have them.
    var unverified: [IssuerName: Issuer] {
        var found: [IssuerName: Issuer] = [:]
        for case (let name, .undecided) in verdicts { found[name] = issuer(name) }
        return found
    }

    /// What the token is to be asked about.
    var unjudged: [RecordSeal] {
        seals.filter { name, _ in verdicts[name] == nil || verdicts[name] == .undecided }.map(\.value)
    }

    /// What is sealed of every issuer that could be read.
    var allSeals: [RecordSeal] { Array(seals.values) }

    /// Takes what the token has said.
    mutating func take(_ found: [IssuerName: RecordSeal.Verdict]) {
        verdicts.merge(found) { $1 }
        makeContents()
    }

    func issuer(_ name: IssuerName) -> Issuer? {
        if case .issuer(let issuer, _) = readings[name] { issuer } else { nil }
    }

    // MARK: The rest

    private mutating func readFormers() throws(StoreError) {
        rest.formers = [:]
        for (name, value) in values[layout.former] ?? [:] {
            guard let record = try? FormerRecord.decoded(value) else { continue }
            rest.formers[try IssuerName.reading(name)] = record
        }
    }

    private mutating func readRest(_ groups: Set<String>) throws(StoreError) {
        if groups.contains(layout.intents) {
            rest.intents = try records(layout.intents) { (record: IntentRecord, id) throws(StoreError) in
                try record.intent(.reading(id))
            }
        }
        if groups.contains(layout.destructions) {
            rest.destructions = try records(layout.destructions) { (record: DestructionRecord, id) throws(StoreError) in
                try record.destruction(.reading(id))
            }
        }
        if groups.contains(layout.quarantined) {
            rest.quarantined = try records(layout.quarantined) { (record: QuarantinedRecord, id) throws(StoreError) in
                try record.key(.reading(id))
            }
        }
        if groups.contains(layout.starts) { rest.agents = names(layout.starts) }
    }

    /// Everything of a group in the order in which it came to be.
    private func records<Record: StoreRecord, Value>(
        _ group: String, _ make: (Record, String) throws(StoreError) -> Value
    ) throws(StoreError) -> [Value] {
        var made: [(value: Value, created: Int64, order: Int, name: String)] = []
        for (name, value) in values[group] ?? [:] {
            let record = try Record.decoded(value)
            made.append((try make(record, name), value.created, (record as? any OrderedRecord)?.order ?? 0, name))
        }
        return made.sorted { ($0.created, $0.order, $0.name) < ($1.created, $1.order, $1.name) }.map(\.value)
    }

    private mutating func makeContents() {
        var (issuers, committed): ([Issuer], [Int64]) = ([], rest.formers.values.map(\.deletedAt))
        issuers.reserveCapacity(readings.count)
        for case (let name, .issuer(let issuer, let committedAt)) in readings where verdicts[name]?.isBelieved ?? true {
            issuers.append(issuer)
            committed.append(committedAt)
        }
        contents = StoreContents(
            issuers: issuers.sorted { $0.name < $1.name }, intents: rest.intents, destructions: rest.destructions,
            lastChange: committed.max().map { Timestamp(seconds: $0) }, quarantined: rest.quarantined,
            formerGenerations: rest.formers.mapValues(\.generation), token: token,
            copiedAt: meta.copiedAt.map { Timestamp(seconds: $0) }, agents: rest.agents)
    }
}

/// Several of these can be made by one change.
private protocol OrderedRecord {
    var order: Int { get }
}

extension DestructionRecord: OrderedRecord {}
extension QuarantinedRecord: OrderedRecord {}

/// What was found to be different, or everything, as of one revision.
struct ViewUpdate: Sendable {
    var revision: Int64
    var cluster: UInt64
    var sentAt: Int64
    var meta, head, token: EtcdKeyValue?
    /// This agent's own entry among the members.
    var member: EtcdKeyValue?
    /// By group.
    var changed: [String: [EtcdKeyValue]] = [:]
    /// By group, what follows in the keys that are not there any more.
    var removed: [String: Set<String>] = [:]
}
