import AgentProtocol
import Platform

/// Reads the configuration again and puts it in force, and has the audit log go on in the file at its path: for `reload` and for
/// SIGHUP.
struct Reloader: Sendable {
    let registry: IssuerRegistry
    let gate: Gate
    let audit: AuditLog
    let names: UserNames
    let last: LastReload
    /// Reads the configuration. Errors should be `ProtocolError`.
    let read: @Sendable () async throws -> ReloadedConfiguration

    /// For a caller whose request is recorded.
    ///
    /// - Returns: also why the audit log goes on in the file it had, if it does although another is there.
    /// - Throws: what `read` throws; then the old configuration stays in force.
    func reload() async throws -> (ReloadedConfiguration, warning: AuditError?) {
        let warning = await reopen()
        return (try await adopt(), warning)
    }

    /// For SIGHUP, recorded as asked for by this process: the reopened log has both records.
    ///
    /// - Throws: what `read` throws; `AuditError` when the attempt could not be recorded. Then the old configuration stays in
    ///   force.
    func reloadRecorded() async throws -> (ReloadedConfiguration, warning: AuditError?) {
        let warning = await reopen()
        let change = await audit.recordChange(audit.ownEntry(.reload)) { try await adopt() }
        return (try change.outcome.get(), change.receipt.error ?? warning)
    }

    private func reopen() async -> AuditError? {
        do {
            try await audit.reopen()
            return nil
        } catch {
            return error as? AuditError ?? .stalled
        }
    }

    private func adopt() async throws -> ReloadedConfiguration {
        names.forget()
        let reloaded = try await last.noting { try await registry.adopt(read) }
        gate.use(reloaded.access, number: reloaded.number)
        return reloaded
    }
}
