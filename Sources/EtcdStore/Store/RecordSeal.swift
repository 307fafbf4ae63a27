import Foundation
public import IssuerStore
public import KeyLifecycle
import Platform

/// Everything of an issuer that its seal is for: its record, and the keys of it that have ended, which lie elsewhere.
///
/// One seal over all of it: of an issuer none of the keys can be exchanged for what it was before, or for another issuer's.
struct RecordSeal: Sendable {
    /// What becomes of an issuer by its seal.
    enum Verdict: Equatable, Sendable {
        case genuine
        /// None can have been made yet.
        case unsealed
        case wrong(StoreError)
        /// The token could not be asked, or does not show the key.
        case undecided

        var isBelieved: Bool { self == .genuine || self == .unsealed }
    }

    let name: IssuerName
    /// With its seal, if it has one.
    let record: IssuerRecord
    let ended: [KeyRecord]

    /// What is sealed: that it is of this deployment, name and generation, and every byte. No two of these read alike, since the texts
    /// before the JSON have no line ends in them.
    func statement(of deployment: String) -> [UInt8] {
        var record = record
        record.seal = ""
        let keys = EndedKeys(keys: ended.sorted { $0.position < $1.position }).encoded()
        let head = "privyseal-record-1\n\(deployment)\n\(name.text)\n\(record.generation)\n"
        return Array(head.utf8) + record.encoded() + [UInt8(ascii: "\n")] + keys
    }

    private struct EndedKeys: StoreRecord {
        var change = ""
        var keys: [KeyRecord]
    }
}

extension MetaRecord {
    /// What is sealed of it: an epoch that is higher has been decided by somebody with a session.
    func epochStatement(of deployment: String) -> [UInt8] { Array("privyseal-epoch-1\n\(deployment)\n\(epoch)\n".utf8) }
}

/// By what a store's records are sealed, and what has been seen of them.
struct Seals: Sendable {
    /// `nil` in a process without a session with the token.
    var sealing: (any RecordSealing)?
    var isJudging = false
    /// Whether nothing is left that was written before there was a key.
    var isComplete = false
    /// By issuer, the record that was found to be genuine since an operator last decided: its generation, and the change that has
    /// written it.
    var genuine: [IssuerName: (generation: Int, change: String)] = [:]
}

extension EtcdIssuerStore {
    public func use(_ sealing: any RecordSealing, isJudging: Bool) {
        seals.withLock { $0 = Seals(sealing: sealing, isJudging: isJudging) }
    }

    // MARK: - Sealing

    /// Seals what a change writes of issuers. Without a session nothing is sealed, and an agent decides what to think of it.
    func seal(_ change: inout StoreChange) async throws(StoreError) {
        guard !change.issuers.isEmpty || change.raised != nil else { return }
        let state = seals.withLock { $0 }
        guard let sealing = state.sealing else { return }
        // What has no seal yet must have one before there is a key by which that would be missed.
        if state.isJudging, !state.isComplete { try await sealAll() }
        try await seal(&change, with: sealing)
    }

    func seal(_ change: inout StoreChange, with sealing: any RecordSealing) async throws(StoreError) {
        let issuers = change.issuers.sorted { $0.key < $1.key }
        let raised = change.raised.map { [$0.meta.epochStatement(of: deployment.id)] } ?? []
        let statements = issuers.map { $0.value.statement(of: deployment.id) } + raised
        let made = try await Self.askingToken { try await sealing.seals(for: statements) }
        for ((key, issuer), seal) in zip(issuers, made) {
            var record = issuer.record
            record.seal = seal
            try change.put(key, record)
        }
        if let raised = change.raised {
            var meta = raised.meta
            meta.epochSeal = made.last
            try change.put(raised.key, meta)
        }
    }

    public func sealAll() async throws(StoreError) {
        let state = seals.withLock { $0 }
        guard let sealing = state.sealing else { return }
        try requireWritable()
        guard state.isJudging else {
            try await seal(issuersWithoutSeal(), with: sealing, if: { _ in true })
            let place = layout.meta
            try await changing(sealing: sealing) { [self] (snapshot, change) throws(StoreError) in
                try change.put(place, raised: meta(snapshot))
                return true
            }
            return
        }
        guard !state.isComplete else { return }
        // Read before the key is made: afterwards what carries no seal is somebody else's.
        let unsealed = try await view(for: sealing).allSeals.filter { $0.record.seal.isEmpty }.map(\.name)
        if try await Self.askingToken({ try await sealing.prepare() }) {
            try await seal(unsealed, with: sealing, if: { $0.record.seal.isEmpty })
        }
        seals.withLock { $0.isComplete = true }
    }

    public func issuersWithoutSeal() async throws(StoreError) -> [IssuerName] {
        guard let sealing = seals.withLock({ $0.sealing }) else { return [] }
        let all = try await view(for: sealing).allSeals
        let found = try await judgement(of: all, by: sealing)
        return all.map(\.name).filter { found[$0] != .genuine }.sorted()
    }

    /// The present view, read without its being judged by another call in its turn.
    private func view(for sealing: any RecordSealing) async throws(StoreError) -> StoredView {
        _ = try await view()
        guard let view = cache.withLock({ $0 }) else { throw .conflict("the store in etcd is read anew meanwhile") }
        return view
    }

    /// Seals records as they lie there.
    private func seal(
        _ names: [IssuerName], with sealing: any RecordSealing, if isWanted: @escaping @Sendable (RecordSeal) -> Bool
    ) async throws(StoreError) {
        let layout = layout
        for start in stride(from: 0, to: names.count, by: 20) {
            let batch = names[start..<min(start + 20, names.count)]
            _ = try await changing(
                reading: batch.map { layout.issuer($0) }, under: batch.map { layout.ended($0) }, sealing: sealing
            ) {
                (snapshot, change) throws(StoreError) in
                for name in batch {
                    guard let record: IssuerRecord = try snapshot.record(layout.issuer(name)) else { continue }
                    var ended: [KeyRecord] = []
                    for value in snapshot.under(layout.ended(name)) { ended.append(try EndedKeyRecord.decoded(value).key) }
                    guard isWanted(RecordSeal(name: name, record: record, ended: ended)) else { continue }
                    change.compare(layout.issuer(name), in: snapshot)
                    try change.put(layout.issuer(name), name, record, ended: ended)
                }
                return !change.issuers.isEmpty
            }
        }
    }

    // MARK: - Judging

    /// Has the token say what is to be thought of what it has not been asked about. What did not change needs no token.
    func judged(_ view: StoredView) async throws(StoreError) -> StoredView {
        let state = seals.withLock { $0 }
        guard let sealing = state.sealing, state.isJudging else { return view }
        let unjudged = view.unjudged
        guard !unjudged.isEmpty else { return view }
        var found: [IssuerName: RecordSeal.Verdict]
        do throws(StoreError) {
            found = try await judgement(of: unjudged, by: sealing)
        } catch {
            // That the token is away is no reason not to go by what is known.
            found = Dictionary(uniqueKeysWithValues: unjudged.map { ($0.name, .undecided) })
        }
        seals.withLock { [found] seals in
            for seal in unjudged where found[seal.name] == .genuine {
                let seen = seals.genuine[seal.name]
                guard seal.record.generation >= seen?.generation ?? 0 else { continue }
                guard seen?.generation != seal.record.generation else { continue }
                seals.genuine[seal.name] = (seal.record.generation, seal.record.change)
            }
        }
        let seen = seals.withLock { $0.genuine }
        for seal in unjudged where found[seal.name] == .genuine {
            guard let seen = seen[seal.name], seen.generation == seal.record.generation, seen.change != seal.record.change
            else { continue }
            found[seal.name] = .wrong(.resealed(seal.record.generation))
        }
        var view = view
        view.take(found)
        cache.withLock { [view] cache in
            if cache?.revision == view.revision, cache?.cluster == view.cluster { cache = view }
        }
        return view
    }

    /// What a store says of decisions by an operator.
    enum Decision {
        case none
        /// Since this machine last saw it.
        case made
        /// The token cannot say whether it was one.
        case unproven
        /// By somebody without a session.
        case forged
    }

    /// Whether an operator has decided about the store since this machine last saw it: then nothing that was seen before counts.
    ///
    /// - Parameter known: the epoch that this machine remembers.
    func decision(of meta: MetaRecord, known: Int?) async -> Decision {
        guard let known, meta.epoch > known else { return .none }
        let state = seals.withLock { $0 }
        guard let sealing = state.sealing, state.isJudging else { return .made }
        let raised = SealedStatement(statement: meta.epochStatement(of: deployment.id), seal: meta.epochSeal ?? "")
        switch try? await sealing.judge([raised]).first {
        case .genuine, .unsealed:
            seals.withLock { $0.genuine = [:] }
            return .made
        case .wrong: return .forged
        case .unknownKey, nil: return .unproven
        }
    }

    private func judgement(
        of seals: [RecordSeal], by sealing: any RecordSealing
    ) async throws(StoreError) -> [IssuerName: RecordSeal.Verdict] {
        let records = seals.map { SealedStatement(statement: $0.statement(of: deployment.id), seal: $0.record.seal) }
        let verdicts = try await Self.askingToken { try await sealing.judge(records) }
        var found: [IssuerName: RecordSeal.Verdict] = [:]
        for (seal, verdict) in zip(seals, verdicts) {
            found[seal.name] =
                switch verdict {
                case .genuine: .genuine
                case .unsealed: .unsealed
                case .unknownKey: .undecided
                case .wrong: .wrong(seal.record.seal.isEmpty ? .sealMissing : .sealWrong)
                }
        }
        return found
    }

    private static func askingToken<Value: Sendable>(
        _ body: @Sendable () async throws -> Value
    ) async throws(StoreError) -> Value {
        do {
            return try await body()
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(
                .unavailable, "the records in etcd carry a seal that the token makes, and it makes none: \(error)",
                hint: "see what is wrong with the token: privyseal health", cause: error)
        }
    }
}

extension StoreError {
    fileprivate static let sealWrong = StoreError(
        .corrupt, "its record carries a seal that was made over something else: somebody without a session has changed it",
        hint: sealHint)

    fileprivate static let sealMissing = StoreError(
        .corrupt, "its record carries no seal, as everything does that an agent of this deployment has written",
        hint: sealHint)

    fileprivate static func resealed(_ generation: Int) -> StoreError {
        StoreError(
            .corrupt, "its record is another one than it was, and still of generation \(generation): it is an old one",
            hint: sealHint)
    }

    fileprivate static let sealHint =
        "find out who writes to etcd; restore the record, or stop every agent and decide with: privyseald recover --restored"

    static func unverified(_ name: IssuerName) -> StoreError {
        StoreError(
            .unavailable, "the seal of the issuer \(name) in etcd is by a key that the token does not show",
            hint: "check that the token is the one of the other agents; if theirs is gone for good: privyseald replace-token")
    }
}
