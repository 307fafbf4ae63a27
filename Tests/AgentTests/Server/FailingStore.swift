import IssuerStore
import KeyLifecycle
import Platform

/// Calls of a store that can be made to fail.
enum StoreCall: Sendable {
    case contents
    case commit(IssuerChange)
    case record
    case bury
    case abandon
    case markDestroyed
    case settle
    case probe
}

/// Decides which calls fail; none until a test says so.
final class StoreFailures: Sendable {
    /// A function by itself would be wrapped once more at each look at it.
    private struct Condition {
        let holds: @Sendable (StoreCall) -> Bool
    }

    private let condition = Locked(Condition { _ in false })

    /// From now on the calls for which this is true fail, as they do when a disk is full or the process is killed there.
    func fail(_ condition: @escaping @Sendable (StoreCall) -> Bool) {
        self.condition.withLock { $0 = Condition(holds: condition) }
    }

    func check(_ call: StoreCall) throws {
        guard condition.withLock({ $0 }).holds(call) else { return }
        throw StoreError(.unavailable, "the disk is full", hint: "make room")
    }
}

/// A store that passes every call on, unless it is to fail.
struct FailingStore: IssuerStorage {
    let store: SQLiteIssuerStore
    let failures: StoreFailures

    var deployment: Deployment { store.deployment }

    func contents() async throws -> StoreContents {
        try failures.check(.contents)
        return try await store.contents()
    }

    @discardableResult
    func commit(_ change: IssuerChange, fulfilling: [KeyID]) async throws -> Int64? {
        try failures.check(.commit(change))
        return try await store.commit(change, fulfilling: fulfilling)
    }

    func record(_ intent: GenerationIntent) async throws {
        try failures.check(.record)
        try await store.record(intent)
    }

    func bury(_ keyID: KeyID) async throws {
        try failures.check(.bury)
        try await store.bury(keyID)
    }

    func abandon(_ keyID: KeyID, publicKey: [UInt8]?, at moment: Timestamp) async throws {
        try failures.check(.abandon)
        try await store.abandon(keyID, publicKey: publicKey, at: moment)
    }

    func markDestroyed(_ keyID: KeyID, at moment: Timestamp) async throws {
        try failures.check(.markDestroyed)
        try await store.markDestroyed(keyID, at: moment)
    }

    func strandDestructions() async throws { try await store.strandDestructions() }

    func recognised(_ keyIDs: Set<KeyID>) async throws -> Set<KeyID> { try await store.recognised(keyIDs) }

    func noteToken(_ token: TokenIdentity) async throws { try await store.noteToken(token) }

    func settle(_ settlement: Settlement) async throws {
        try failures.check(.settle)
        try await store.settle(settlement)
    }

    func noteAgents(_ ids: Set<String>) async throws { try await store.noteAgents(ids) }

    func forgetAgents(_ ids: Set<String>) async throws { try await store.forgetAgents(ids) }

    func noteFrontends(_ count: Int) async throws { try await store.noteFrontends(count) }

    func checkPlace() async throws { try await store.checkPlace() }

    func probe() async throws {
        try failures.check(.probe)
        try await store.probe()
    }

    func save() async throws -> String? { try await store.save() }

    func refusedPIN() async throws -> RefusedPIN? { try await store.refusedPIN() }

    func setRefusedPIN(_ refused: RefusedPIN?) async throws { try await store.setRefusedPIN(refused) }
}
