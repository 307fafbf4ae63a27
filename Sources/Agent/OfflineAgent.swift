public import AgentProtocol
public import IssuerStore
public import KeyLifecycle
import Platform

/// Token and store of an agent that is not running, for what only an operator may decide.
///
/// Whoever uses one to change anything holds the lock of the store. Changes are recorded in the audit log as an agent's are.
public struct OfflineAgent: Sendable {
    private let hsm: HSM
    private let registry: IssuerRegistry
    private let audit: AuditConfiguration
    private let journal: OfflineJournal
    private let environment: AgentEnvironment
    private let store: any IssuerStorage

    /// Logs in to the token, reads the store, calls, and finalises the module.
    ///
    /// - Parameter isTrusting: whether records of a shared store are taken as they stand, whatever seal they carry: for what an
    ///   operator decides about them.
    /// - Throws: what `AgentServer.start` throws of token and store, and what `body` throws.
    public static func with<Value>(
        _ configuration: AgentConfiguration, store: any IssuerStorage, environment: AgentEnvironment,
        trustingRecords isTrusting: Bool = false,
        _ body: (OfflineAgent) async throws -> Value
    ) async throws -> Value {
        var configuration = configuration
        configuration.hsm.sessions = 1
        let hsm = try await PINWatch.logIn(configuration, store: store, environment)
        let journal = OfflineJournal()
        let registry = IssuerRegistry(
            store: store, custody: hsm.custody, hsmStatus: hsm.status, clock: environment.clock,
            publicBaseURL: configuration.publicBaseURL, log: environment.log, journal: journal)
        (store as? any SealedStorage)?.use(hsm.recordSealer(deployment: store.deployment.id), isJudging: !isTrusting)
        do {
            try await registry.load()
            let value = try await body(
                OfflineAgent(
                    hsm: hsm, registry: registry, audit: configuration.audit, journal: journal, environment: environment,
                    store: store))
            await registry.drain()
            try await hsm.end()
            return value
        } catch {
            await registry.drain()
            try await hsm.end()
            throw error
        }
    }

    /// Brings token and store together, or with `dryRun` says what that would do.
    public func reconcile(dryRun: Bool) async throws -> ReconcileResult {
        let (plan, steps) =
            dryRun
            ? try await registry.reconcile(dryRun: true)
            : try await recorded(.reconcile) { try await registry.bringTogether(destroying: true) }
        let quarantine = dryRun ? plan.quarantine : await registry.quarantinedIssuers
        return ReconcileResult(plan, steps, quarantine: quarantine, dryRun: dryRun)
    }

    /// Issuers of a shared store whose records carry no genuine seal: what they say may be anybody's.
    public func issuersWithoutSeal() async throws -> [IssuerName] {
        try await (store as? any SealedStorage)?.issuersWithoutSeal() ?? []
    }

    /// Seals every record of a shared store that carries no genuine seal.
    public func sealRecords() async throws {
        try await (store as? any SealedStorage)?.sealAll()
    }

    /// - Throws: `RecoveryRefusal`, `HSMError`, `StoreError`.
    public func planRecovery(_ request: RecoveryRequest) async throws -> RecoveryPlan {
        try await registry.planRecovery(request)
    }

    /// - Throws: `AuditError`, `HSMError`, `StoreError`; then the store is as it was.
    public func recover(_ plan: RecoveryPlan) async throws -> [RenewedIssuer] {
        try await recorded(Method(rawValue: "recover")) {
            let renewed = try await registry.recover(plan)
            // What has used the token before is settled with it.
            try await registry.acceptToken()
            return renewed
        }
    }

    /// - Throws: `RecoveryRefusal`, `HSMError`, `StoreError`.
    public func planTokenReplacement() async throws -> TokenReplacementPlan {
        try await registry.planTokenReplacement()
    }

    /// - Throws: `AuditError`, `HSMError`, `StoreError`; then the store is as it was.
    public func replaceToken(_ plan: TokenReplacementPlan) async throws -> [RenewedIssuer] {
        try await recorded(Method(rawValue: "replace-token")) { try await registry.replaceToken(plan) }
    }

    /// Makes a change with a record before it and one after it.
    ///
    /// - Throws: `AuditError` when the first cannot be written: nothing is changed then.
    private func recorded<Value: Sendable>(_ method: Method, _ change: () async throws -> Value) async throws -> Value {
        let log = try AuditLog(audit, clock: environment.clock, log: environment.log)
        if let shared = store as? any SharedIssuerStorage {
            log.entitle(agent: shared.agent, deployment: store.deployment.id)
            journal.use(log)
        }
        // A second record that cannot be written is told by the log itself, as critical.
        let outcome = await log.recordChange(log.ownEntry(method), change).outcome
        // What a change leaves to do is recorded with it.
        await registry.drain()
        journal.use(nil)
        await log.close()
        return try outcome.get()
    }
}

/// Records what is done to a store that several agents share, while a change is under way. What is done by itself is recorded as the
/// command that does it.
private final class OfflineJournal: KeyJournal {
    /// The log that is open.
    private let log = Locked<AuditLog?>(nil)

    func use(_ log: AuditLog?) {
        self.log.withLock { $0 = log }
    }

    func attempt(_ deed: String) async throws {}
    func note(_ deed: String) {}

    func begin(_ change: AuditChange) async throws {
        guard let log = log.withLock({ $0 }) else { throw AuditError.logClosed }
        try await log.recordOnDisk(change)
    }

    func end(_ change: AuditChange) {
        log.withLock { $0 }?.record(change)
    }
}
