import Foundation
import IssuerStore
import KeyLifecycle
import Platform

extension EtcdError {
    /// What would say whether a change was made is not there any more.
    fileprivate static let overwritten = EtcdError(
        .undecided, "what a change would have written has been overwritten or removed since, and etcd does not say by whom",
        hint: "see what has become of it before it is ordered again")
}

/// Reading, deciding, and a transaction that holds only if what was read is still so.
extension EtcdIssuerStore {
    /// Decides about a change until it is made or turns out not to be possible. `plan` gets what it asked for, read at one
    /// revision, and returns `nil` when there is nothing to do.
    ///
    /// - Parameter sealing: what seals the issuers in it; `nil` for what the store has been told of.
    /// - Returns: the revision that the change has made; `nil` when there was nothing to do.
    /// - Throws: what `plan` throws, `.conflict` above all; `StoreError` with `.undecided` when the cluster goes silent in the midst.
    @discardableResult
    func changing(
        reading keys: [String] = [], under prefixes: [String] = [], sealing: (any RecordSealing)? = nil,
        _ plan: @escaping @Sendable (StoreSnapshot, inout StoreChange) throws(StoreError) -> Bool
    ) async throws(StoreError) -> Int64? {
        try requireWritable()
        return try await Self.uncancelled { () async throws(StoreError) -> Int64? in
            // Each round that is lost was won by another agent.
            for _ in 0..<16 {
                let snapshot = try await self.snapshot(keys + [self.layout.meta], under: prefixes)
                var change = StoreChange(id: SystemRandom.hexadecimal(bytes: 16))
                _ = try self.meta(snapshot)
                change.compare(self.layout.meta, in: snapshot)
                guard try plan(snapshot, &change) else { return nil }
                if let sealing {
                    try await self.seal(&change, with: sealing)
                } else {
                    try await self.seal(&change)
                }
                let transaction = try change.transaction(head: self.layout.head)
                if let revision = try await Self.carryOut(change, transaction, self.gateway) { return revision }
            }
            throw StoreError.conflict("what is to be changed in etcd is changed by others all the time")
        }
    }

    /// - Throws: `StoreError` with `.unavailable` for a store that was opened for reading only.
    func requireWritable() throws(StoreError) {
        guard isReadOnly else { return }
        throw StoreError(
            .unavailable, "the store in etcd was opened for reading only", hint: "let the agent that uses it make the change")
    }

    /// What rules the store, as long as it may be changed.
    func meta(_ snapshot: StoreSnapshot) throws(StoreError) -> MetaRecord {
        guard let meta: MetaRecord = try snapshot.record(layout.meta) else { throw .gone(layout.meta) }
        try Self.check(meta, admitted)
        return meta
    }

    /// Sends a transaction.
    ///
    /// - Returns: the revision that it has made; `nil` when it took no effect, since what it was decided by has changed.
    static func carryOut(
        _ change: StoreChange, _ transaction: EtcdTransaction, _ gateway: EtcdGateway
    ) async throws(StoreError) -> Int64? {
        var isRepeated = false
        while true {
            let outcome: EtcdOutcome
            do throws(EtcdError) {
                outcome = try await gateway.carryOut(transaction)
            } catch {
                // Once more: it may be a matter of a second, and afterwards nothing is certain.
                guard error.code == .undecided, !isRepeated else { throw StoreError(error) }
                isRepeated = true
                continue
            }
            guard !outcome.succeeded else { return outcome.revision }
            guard isRepeated || outcome.isRepeated else { return nil }
            // It was sent before, and may have lost against itself.
            do throws(EtcdError) {
                return try await revision(of: change, transaction, gateway)
            } catch {
                throw .undecided(error)
            }
        }
    }

    /// The revision at which something in the store was written by this change, also if others have overwritten it since; `nil` when
    /// nothing was.
    private static func revision(
        of change: StoreChange, _ transaction: EtcdTransaction, _ gateway: EtcdGateway
    ) async throws(EtcdError) -> Int64? {
        let keys = change.written.keys.sorted()
        guard !keys.isEmpty else { return nil }
        let outcome = try await gateway.carryOut(EtcdTransaction(success: keys.map { .get(.key($0)) }))
        let found = Dictionary(outcome.found.flatMap(\.values).map { ($0.name, $0) }) { first, _ in first }
        if let mine = found.values.first(where: change.hasWritten) { return mine.modified }
        var overwritten: [(value: EtcdKeyValue, known: Int64)] = []
        var isRemoved = false
        for case .modified(let key, let known) in transaction.comparisons where change.written[key] != nil {
            guard let value = found[key] else {
                if known > 0 { isRemoved = true }
                continue
            }
            // What a change writes is there all at once, and nobody has written this one since it was read.
            if value.modified == known { return nil }
            overwritten.append((value, known))
        }
        guard let (value, known) = overwritten.first else {
            // Whoever removed what was there may have removed what the change had made of it.
            if isRemoved { throw .overwritten }
            // Where what it writes is compared with nothing that it was decided by, deciding anew tells.
            return nil
        }
        return try await revision(of: change, before: value, after: known, gateway)
    }

    /// The revision at which a key was written by this change, among those that came before a value it has.
    ///
    /// - Parameter known: the revision of the key that the change was decided by.
    private static func revision(
        of change: StoreChange, before value: EtcdKeyValue, after known: Int64, _ gateway: EtcdGateway
    ) async throws(EtcdError) -> Int64? {
        var value = value
        for _ in 0..<changesLookedThrough where value.created < value.modified {
            guard let before = try await gateway.read(.key(value.name), at: value.modified - 1).values.first else { break }
            if change.hasWritten(before) { return before.modified }
            guard before.modified > known else { return nil }
            value = before
        }
        // One that nobody had written before was not written by this change either: it would be the first.
        if known == 0, value.created == value.modified { return nil }
        throw .overwritten
    }

    /// Changes of one key by others between a change and the question what has become of it: each of them took a read and a write.
    private static let changesLookedThrough = 64

    /// Keys, and all keys under prefixes, as of one revision.
    func snapshot(_ keys: [String], under prefixes: [String] = []) async throws(StoreError) -> StoreSnapshot {
        let ranges = prefixes.map { EtcdKeyRange.prefix($0) } + Set(keys).sorted().map { EtcdKeyRange.key($0) }
        var snapshot = StoreSnapshot()
        var start = 0
        while start < ranges.count {
            let batch = ranges[start..<min(start + EtcdTransaction.limit, ranges.count)]
            let at = snapshot.revision
            let outcome = try await Self.asking { () async throws(EtcdError) in
                try await gateway.carryOut(
                    EtcdTransaction(success: batch.map { .get($0, limit: EtcdGateway.page, revision: at) }))
            }
            guard outcome.found.count == batch.count else {
                throw StoreError(
                    .unavailable, "etcd has answered \(outcome.found.count) of \(batch.count) questions",
                    hint: "check that etcd listens at the endpoints and nothing else")
            }
            if snapshot.revision == 0 { (snapshot.revision, snapshot.sentAt) = (outcome.revision, outcome.sentAt) }
            for (range, page) in zip(batch, outcome.found) {
                snapshot.add(page.values)
                guard page.hasMore, let last = page.values.last else { continue }
                let (rest, revision) = (EtcdKeyRange(start: last.key + [0], end: range.end), snapshot.revision)
                snapshot.add(
                    try await Self.asking { () async throws(EtcdError) in try await gateway.read(rest, at: revision) }.values)
            }
            start += batch.count
        }
        return snapshot
    }
}
