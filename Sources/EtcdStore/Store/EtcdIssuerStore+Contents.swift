public import IssuerStore
public import KeyLifecycle
import Platform

extension EtcdIssuerStore {
    /// - Throws: `StoreError` with `.corrupt` also for what is about one issuer alone.
    public func contents() async throws(StoreError) -> StoreContents {
        let view = try await view()
        guard let (name, _) = view.unreadable.min(by: { $0.key < $1.key }) else {
            if let (name, _) = view.unverified.min(by: { $0.key < $1.key }) { throw .unverified(name) }
            return view.contents
        }
        throw cache.withLock { $0 }?.unreadable[name] ?? .conflict("the issuer \(name) is changed meanwhile")
    }

    public func head() async throws(StoreError) -> HeadReading {
        let reading = try await Self.asking { () async throws(EtcdError) in try await gateway.read(.key(layout.head)) }
        guard let value = reading.values.first else { throw .gone(layout.head) }
        return HeadReading(head: try StoreHead(value), sentAt: reading.sentAt)
    }

    public func view() async throws(StoreError) -> StoreView {
        // In turn: of two that are read at once the older one would look like a store that went back.
        try await turns.take { () async throws(StoreError) in
            // An agent that had been taken from the members was not waited for: what it read before it is one again does not count.
            while true {
                let (view, update, urgent) = try await self.read()
                guard try await !self.confirmMembership(update.member) else { continue }
                let decision = await self.decision(of: view.meta, known: await self.memory.content.epoch)
                return try await self.shown(try await self.judged(view), update, decision, isUrgent: urgent)
            }
        }
    }

    /// - Returns: the view, what it was made of, and whether it shows what must not come back.
    private func read() async throws(StoreError) -> (StoredView, ViewUpdate, Bool) {
        let reader = ViewReader(gateway: gateway, layout: layout, agent: by.agent)
        var known = cache.withLock { $0 }
        for _ in 0..<3 {
            let update: ViewUpdate
            do throws(EtcdError) {
                if let view = known {
                    guard let changes = try await reader.changes(since: view) else {
                        known = nil
                        continue
                    }
                    update = changes
                } else {
                    update = try await reader.everything()
                }
            } catch {
                // Compacted, or of another history.
                guard error.code == .compacted else { throw StoreError(error) }
                known = nil
                continue
            }
            guard let meta = update.meta else { throw .gone(layout.meta) }
            try Self.check(try MetaRecord.decoded(meta), admitted)
            let (view, urgent) = try Self.apply(update, known, layout)
            cache.withLock { cache in
                if cache.map({ $0.revision <= view.revision }) ?? true || cache?.cluster != view.cluster || known == nil {
                    cache = view
                }
            }
            return (view, update, urgent)
        }
        throw StoreError(
            .unavailable, "etcd is compacted faster than the store can be read",
            hint: "compact less often: --auto-compaction-retention=1h keeps more than is needed")
    }

    private static func apply(
        _ update: ViewUpdate, _ known: StoredView?, _ layout: StoreLayout
    ) throws(StoreError) -> (StoredView, urgent: Bool) {
        guard let known else { return (try StoredView(update, layout: layout), true) }
        var view = known
        let issuers = try view.apply(update)
        let urgent = issuers.contains { text in
            guard let name = IssuerName(text), let before = known.issuer(name) else { return false }
            guard let after = view.issuer(name) else { return true }
            return after.ring.count(.revoked) > before.ring.count(.revoked)
        }
        return (view, urgent)
    }

    private func shown(
        _ view: StoredView, _ update: ViewUpdate, _ decision: Decision, isUrgent: Bool
    ) async throws(StoreError) -> StoreView {
        var contents = view.contents
        let unreadable = view.unreadable.mapValues(\.message)
        let regressions = try await compareWithMemory(view, decision, isUrgent: isUrgent)
        contents.frontends = await memory.content.frontends
        return StoreView(
            contents: contents, head: view.head, revision: view.revision, sentAt: update.sentAt,
            regressions: regressions, unreadable: unreadable, unverified: view.unverified,
            isDecisionUnproven: decision == .unproven)
    }

    /// What the store says less of than it did, unless an operator has decided since. Where there is nothing, the memory takes on
    /// what the store says now; into its file at once when that must not come back, and else with the next `renew`.
    private func compareWithMemory(
        _ view: StoredView, _ decision: Decision, isUrgent: Bool
    ) async throws(StoreError) -> [StoreRegression] {
        let known = await memory.content
        let cluster = gateway.hexadecimal(view.cluster)
        let isDecided = decision == .made
        var now = Dictionary(uniqueKeysWithValues: view.contents.formerGenerations.map { ($0.key.text, $0.value) })
        for issuer in view.contents.issuers { now[issuer.name.text] = issuer.generation }
        if !isDecided {
            var found: [StoreRegression] = []
            if decision == .forged { found.append(.decision(known: known.epoch ?? 0, now: view.meta.epoch)) }
            if let before = known.cluster, before != cluster { found.append(.cluster(known: before, now: cluster)) }
            if view.revision < known.revision || view.meta.epoch < known.epoch ?? 0 {
                found.append(.revision(known: known.revision, now: view.revision))
            }
            let unreadable = Set(view.unreadable.keys.map(\.text)).union(view.unverified.keys.map(\.text))
            for (issuer, generation) in known.generations.sorted(by: { $0.key < $1.key })
            where generation > now[issuer] ?? 0 && !unreadable.contains(issuer) {
                found.append(.generation(issuer: issuer, known: generation, now: now[issuer] ?? 0))
            }
            guard found.isEmpty else { return found }
        }
        let head = view.head.revision
        let epoch = decision == .unproven ? known.epoch ?? 0 : view.meta.epoch
        let isNew = isDecided || known.cluster != cluster || known.epoch != epoch || known.revision < head
        guard isNew else { return [] }
        let change: @Sendable (inout LocalMemory.Content) -> Void = { [now] memory in
            if isDecided { (memory.generations, memory.revision) = ([:], 0) }
            memory.cluster = cluster
            memory.epoch = max(memory.epoch ?? 0, epoch)
            memory.revision = max(memory.revision, head)
            memory.generations.merge(now) { max($0, $1) }
        }
        if isUrgent || isDecided { try await memory.keep(change) } else { await memory.note(change) }
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
