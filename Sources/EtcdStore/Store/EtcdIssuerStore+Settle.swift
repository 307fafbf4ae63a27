import Foundation
public import IssuerStore
import KeyLifecycle
import Platform

extension EtcdIssuerStore {
    /// In one transaction, if etcd takes it as one. One that is larger, as a replaced token under hundreds of issuers is, is
    /// checked as a whole and then made issuer by issuer, under a state in which no other agent begins or changes anything: each
    /// issuer is as before or as after, the token is noted last, and settling again goes on with the rest.
    ///
    /// The store counts as it is from then on, on this machine too: what has been seen further on is forgotten.
    public func settle(_ settlement: Settlement) async throws(StoreError) {
        try await Self.uncancelled { () async throws(StoreError) in
            let whole = try await self.snapshot(for: settlement.changes, and: settlement)
            var change = StoreChange(id: "")
            try self.add(settlement.changes, whole, to: &change)
            try self.addLost(settlement, whole, to: &change)
            try self.addEnd(settlement, whole, to: &change)
            change.compare(self.layout.meta, in: whole)
            if change.size <= EtcdTransaction.limit {
                try await self.settleAtOnce(settlement)
            } else {
                try await self.settleInParts(settlement)
            }
            // What an operator has decided about counts as it is, whoever had written it.
            if self.seals.withLock({ !$0.isJudging }) { try await self.sealAll() }
            try await self.acceptAsItIs()
        }
    }

    /// Has no agent start with the store, or change anything, until a settlement has ended or `endRecovery` gives up. A store that was
    /// opened with `.recovering` among the states it may be in can be changed on.
    ///
    /// - Returns: what `endRecovery` has to be told; `nil` when a recovery was begun before and has not ended.
    public func beginRecovery() async throws(StoreError) -> Int? {
        let place = layout.meta
        let begun = Locked<Int?>(nil)
        try await changing { [self] (snapshot, change) throws(StoreError) in
            var meta = try meta(snapshot)
            let isBegun = meta.state == StoreState.recovering.rawValue
            let epoch = isBegun ? nil : meta.epoch
            begun.withLock { $0 = epoch }
            guard !isBegun else { return false }
            meta.state = StoreState.recovering.rawValue
            try change.put(place, meta)
            return true
        }
        return begun.withLock { $0 }
    }

    /// Has agents use the store again if nothing has come of a recovery. One that has done a part of its work is left to be gone on with.
    public func endRecovery(_ begun: Int) async throws(StoreError) {
        let place = layout.meta
        try await changing { [self] (snapshot, change) throws(StoreError) in
            var meta = try meta(snapshot)
            guard meta.state == StoreState.recovering.rawValue, meta.epoch == begun else { return false }
            meta.state = StoreState.live.rawValue
            try change.put(place, meta)
            return true
        }
    }

    private func settleAtOnce(_ settlement: Settlement) async throws(StoreError) {
        let (keys, prefixes) = keys(for: settlement.changes, and: settlement)
        try await changing(reading: keys, under: prefixes) { [self] (snapshot, change) throws(StoreError) in
            try add(settlement.changes, snapshot, to: &change)
            try addLost(settlement, snapshot, to: &change)
            try addEnd(settlement, snapshot, to: &change)
            return true
        }
    }

    private func settleInParts(_ settlement: Settlement) async throws(StoreError) {
        let recovering = EtcdIssuerStore(
            deployment: deployment, gateway: gateway, layout: layout, memory: memory, by: by,
            admitted: admitted.union([.recovering]), presence: presence, cache: cache, seals: seals)
        let place = layout.meta
        try await changing { [self] (snapshot, change) throws(StoreError) in
            var meta = try meta(snapshot)
            meta.state = StoreState.recovering.rawValue
            // From here on something of it is done.
            meta.epoch += 1
            try change.put(place, raised: meta)
            return true
        }
        for one in settlement.changes { try await recovering.commit(one.change, fulfilling: one.fulfilling) }
        if let lostAt = settlement.lostAt { try await recovering.loseAll(at: lostAt) }
        let end = Settlement(changes: [], token: settlement.token)
        let (keys, prefixes) = keys(for: [], and: end)
        try await recovering.changing(reading: keys, under: prefixes) { (snapshot, change) throws(StoreError) in
            try recovering.addEnd(end, snapshot, to: &change)
            return true
        }
    }

    /// What is to be destroyed or in quarantine went with a token, as many at a time as there is room for.
    private func loseAll(at moment: Timestamp) async throws(StoreError) {
        let (layout, all) = (layout, [layout.destructions, layout.quarantined])
        while true {
            let found = try await snapshot([], under: all)
            let names = (found.under(layout.destructions) + found.under(layout.quarantined)).prefix(50).map(\.name)
            guard !names.isEmpty else { return }
            try await changing(reading: Array(names)) { [self] (snapshot, change) throws(StoreError) in
                try lose(snapshot, at: moment, in: &change)
                return !change.written.isEmpty
            }
        }
    }

    private func keys(
        for changes: [(change: IssuerChange, fulfilling: [KeyID])], and settlement: Settlement
    ) -> (keys: [String], prefixes: [String]) {
        let keys = changes.flatMap { plan.keys(for: $0.change, $0.fulfilling) }
        let prefixes = changes.flatMap { plan.prefixes(for: $0.change) }
        let lost = settlement.lostAt == nil ? [] : [layout.destructions, layout.quarantined]
        return (keys + [layout.token, layout.meta], prefixes + lost)
    }

    private func snapshot(
        for changes: [(change: IssuerChange, fulfilling: [KeyID])], and settlement: Settlement
    ) async throws(StoreError) -> StoreSnapshot {
        let (keys, prefixes) = keys(for: changes, and: settlement)
        return try await snapshot(keys, under: prefixes)
    }

    private func add(
        _ changes: [(change: IssuerChange, fulfilling: [KeyID])], _ snapshot: StoreSnapshot, to change: inout StoreChange
    ) throws(StoreError) {
        for one in changes { try plan.add(one.change, fulfilling: one.fulfilling, snapshot, to: &change) }
    }

    private func addLost(_ settlement: Settlement, _ snapshot: StoreSnapshot, to change: inout StoreChange) throws(StoreError) {
        guard let lostAt = settlement.lostAt else { return }
        try lose(snapshot, at: lostAt, in: &change)
    }

    /// Everything that was to be destroyed or in quarantine, and what this very change adds to it.
    private func lose(_ snapshot: StoreSnapshot, at moment: Timestamp, in change: inout StoreChange) throws(StoreError) {
        for prefix in [layout.destructions, layout.quarantined] {
            let added = change.written.keys.filter { $0.hasPrefix(prefix) }
            for place in Set(added + snapshot.under(prefix).map(\.name)).sorted() {
                let id = try KeyID.reading(String(place.dropFirst(prefix.count)))
                let stored = change.written[place] ?? snapshot.values[place]?.value ?? []
                let issuer = (try? JSONDecoder().decode(IssuerOfRecord.self, from: Data(stored)))?.issuer ?? ""
                change.compare(place, in: snapshot)
                change.delete(place)
                try change.put(layout.keyID(id), KeyIDRecord(.lost, issuer: issuer, at: moment.seconds))
            }
        }
    }

    private struct IssuerOfRecord: Decodable { var issuer: String }

    /// The token whose keys count from now on. The store is no copy any more, and in use; by its epoch each machine sees that an
    /// operator has decided, and takes what the store says now for what it has seen.
    private func addEnd(_ settlement: Settlement, _ snapshot: StoreSnapshot, to change: inout StoreChange) throws(StoreError) {
        change.compare(layout.token, in: snapshot)
        try change.put(layout.token, TokenRecord(label: settlement.token.label, serial: settlement.token.serial))
        var meta = try meta(snapshot)
        meta.copiedAt = nil
        meta.state = StoreState.live.rawValue
        meta.epoch += 1
        try change.put(layout.meta, raised: meta)
    }
}
