public import AgentProtocol
public import IssuerStore
import KeyLifecycle

/// Token and store of an agent that is not running, for what only an operator may decide.
///
/// Whoever uses one to change anything holds the lock of the store.
public struct OfflineAgent: Sendable {
    private let hsm: HSM
    private let registry: IssuerRegistry
    private let clock: AgentClock

    /// Logs in to the token, reads the store, calls, and finalises the module.
    ///
    /// - Throws: what `AgentServer.start` throws of token and store, and what `body` throws.
    public static func with<Value>(
        _ configuration: AgentConfiguration, store: any IssuerStorage, environment: AgentEnvironment,
        _ body: (OfflineAgent) async throws -> Value
    ) async throws -> Value {
        var configuration = configuration
        configuration.hsm.sessions = 1
        let hsm = try await AgentServer.logIn(configuration, store: store, environment)
        let registry = IssuerRegistry(
            store: store, custody: hsm.custody, hsmStatus: hsm.status, clock: environment.clock,
            publicBaseURL: configuration.publicBaseURL, log: environment.log)
        do {
            try await registry.load()
            let value = try await body(OfflineAgent(hsm: hsm, registry: registry, clock: environment.clock))
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
        let (plan, steps) = dryRun ? try await registry.reconcile(dryRun: true) : try await registry.bringTogether()
        let quarantine = dryRun ? plan.quarantine : await registry.quarantine
        return ReconcileResult(plan, steps, quarantine: quarantine, dryRun: dryRun)
    }

    /// - Throws: `RecoveryRefusal`, `HSMError`, `StoreError`.
    public func planRecovery(_ request: RecoveryRequest) async throws -> RecoveryPlan {
        try await registry.planRecovery(request)
    }

    /// - Throws: `HSMError`, `StoreError`; then the store is as it was.
    public func recover(_ plan: RecoveryPlan) async throws -> [RenewedIssuer] {
        try await registry.carryOut(plan)
    }

    /// - Throws: `RecoveryRefusal`, `HSMError`, `StoreError`.
    public func planTokenReplacement() async throws -> TokenReplacementPlan {
        try await registry.planTokenReplacement()
    }

    /// - Throws: `HSMError`, `StoreError`; then the store is as it was.
    public func replaceToken(_ plan: TokenReplacementPlan) async throws -> [RenewedIssuer] {
        try await registry.carryOut(plan)
    }
}
