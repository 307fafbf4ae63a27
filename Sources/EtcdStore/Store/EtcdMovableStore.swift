public import IssuerStore
import KeyLifecycle
import Platform

/// A place for a store in etcd. Whoever moves one holds the lock of this machine's memory, and no agent uses it.
public final class EtcdMovableStore: MovableStore {
    private let gateway: EtcdGateway
    private let prefix: String
    private let user: EtcdIssuerStore.User
    /// The revision at which the store had last been changed when it was exported.
    private let exported = Locked(Int64?.none)
    /// Whether nothing is to be changed, the memory of this machine included.
    private let isReadOnly: Bool

    private static let everyState: Set<StoreState> = [.live, .migrating, .copied, .recovering]

    /// - Parameter isReadOnly: for a look that changes nothing.
    public init(_ gateway: EtcdGateway, prefix: String, user: EtcdIssuerStore.User, reading isReadOnly: Bool = false) {
        var user = user
        user.isLocked = true
        (self.gateway, self.prefix, self.user, self.isReadOnly) = (gateway, prefix, user, isReadOnly)
    }

    /// With the identity of the cluster, since another one may have the same prefix.
    public var place: String { "\(prefix) in etcd (cluster \(gateway.hexadecimal(gateway.cluster)))" }

    /// The store in whatever state, for asking who takes part; `nil` where there is none.
    public func store() async throws -> EtcdIssuerStore? {
        do {
            return try await open(Self.everyState)
        } catch  where error.code == .missing {
            return nil
        }
    }

    private func open(_ admitted: Set<StoreState>) async throws(StoreError) -> EtcdIssuerStore {
        try await EtcdIssuerStore.open(gateway, prefix: prefix, user: user, admitting: admitted, reading: isReadOnly)
    }

    public func standing() async throws -> StoreStanding {
        guard let store = try await store() else { return .missing }
        let meta = try await store.meta(store.snapshot([store.layout.meta]))
        switch StoreState(rawValue: meta.state) {
        case .migrating: return .migrating(deployment: meta.deployment)
        case .copied: return .moved(deployment: meta.deployment, to: meta.movedTo ?? "another place")
        case .live: return .live(deployment: meta.deployment)
        default:
            throw StoreError(
                .unavailable, "a recovery of the store in etcd has begun and not ended",
                hint: "run the same privyseald command again, and move the store then")
        }
    }

    public func export() async throws -> StoreExport {
        let (export, head) = try await open([.live, .migrating, .copied]).exported()
        exported.withLock { $0 = head }
        return export
    }

    public func beginMigration(of deployment: Deployment) async throws {
        if try await store() == nil {
            try await EtcdIssuerStore.make(gateway, prefix: prefix, minted: deployment, state: .migrating)
        }
        try await setState(.migrating, from: [.migrating, .copied])
    }

    public func fill(_ export: StoreExport, _ written: () async throws -> Void) async throws {
        try await open([.migrating]).fill(export, written)
    }

    public func markMoved(to place: String) async throws {
        try await setState(.copied, from: [.live, .copied], movedTo: place, unchangedSince: exported.withLock { $0 })
    }

    public func endMigration() async throws {
        let live = try await setState(.live, from: [.migrating, .live])
        // What this machine had seen before the store was elsewhere says nothing of it now; to others the epoch says so.
        try await live.acceptAsItIs()
    }

    /// - Returns: the store, opened anew.
    @discardableResult
    private func setState(
        _ state: StoreState, from former: Set<StoreState>, movedTo: String? = nil, unchangedSince revision: Int64? = nil
    ) async throws -> EtcdIssuerStore {
        let store = try await open(former)
        let (place, head) = (store.layout.meta, store.layout.head)
        let seen = await store.memory.content.epoch ?? 0
        try await store.changing(reading: [head]) { (snapshot, change) throws(StoreError) in
            var meta = try store.meta(snapshot)
            guard meta.state != state.rawValue || meta.movedTo != movedTo else { return false }
            guard revision == nil || snapshot.revision(of: head) == revision else {
                throw .conflict("the store in etcd has been changed while it was moved")
            }
            change.compare(head, in: snapshot)
            meta.state = state.rawValue
            meta.movedTo = movedTo
            // Above that of any life which the store has had here before.
            meta.epoch = max(meta.epoch, seen) + 1
            try change.put(place, meta)
            return true
        }
        return try await open([state])
    }
}

extension EtcdIssuerStore {
    /// Has an empty store be of another deployment: the one that a lost store had, so that it recognises that one's keys. It has to
    /// be opened anew.
    ///
    /// - Throws: `StoreError` with `.conflict` when it has recorded anything under its own identity.
    public func takeOver(deployment id: String) async throws(StoreError) {
        try requireWritable()
        let (former, taken, gateway) = (layout, layout.sibling(deployment: id), gateway)
        let isTaken = try await Self.uncancelled { () async throws(StoreError) in
            let snapshot = try await self.snapshot([former.meta])
            var meta = try self.meta(snapshot)
            meta.deployment = id
            meta.epoch += 1
            var change = StoreChange(id: SystemRandom.hexadecimal(bytes: 16))
            change.compare(former.meta, in: snapshot)
            change.delete(prefix: former.base)
            try change.put(taken.meta, meta)
            var transaction = try change.transaction(head: taken.head)
            transaction.comparisons += [former.issuers, former.former, former.keyIDs].map { .noneIn(.prefix($0)) }
            return try await Self.carryOut(change, transaction, gateway) != nil
        }
        guard isTaken else {
            throw StoreError(
                .conflict, "the store in etcd has been used under an identity of its own",
                hint: "choose another prefix, and let a new one be made there")
        }
        try await memory.keep { $0.deployment = id }
    }
}
