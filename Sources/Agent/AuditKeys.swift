public import IssuerStore
import Platform

extension AuditPublicKey {
    /// The audit keys on an agent's token, running or not: without a login where the token shows them to anybody, else logged
    /// in as the agent does.
    ///
    /// - Throws: `HSMError`, `StoreError`.
    public static func onToken(
        _ configuration: AgentConfiguration, store: any IssuerStorage, deployment: String, environment: AgentEnvironment
    ) async throws -> [AuditPublicKey] {
        // What goes wrong without a login is found again, and named, with one.
        let visible: [AuditPublicKey] = await withCheckedContinuation { continuation in
            NamedThread.start("audit keys") {
                continuation.resume(returning: (try? shown(by: configuration.hsm, deployment: deployment)) ?? [])
            }
        }
        if !visible.isEmpty { return visible }
        let hsm = try await PINWatch.logIn(configuration, store: store, environment)
        do {
            let keys = try await hsm.auditPublicKeys(of: deployment)
            await hsm.shutdown()
            return keys
        } catch {
            await hsm.shutdown()
            throw error
        }
    }
}
