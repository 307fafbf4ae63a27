import Platform

/// Reads the configuration again and puts it in force, for `reload` and for SIGHUP.
struct Reloader: Sendable {
    let registry: IssuerRegistry
    let gate: Gate
    let audit: AuditLog
    let names: UserNames
    /// Reads the configuration. Errors should be `ProtocolError`.
    let read: @Sendable () async throws -> ReloadedConfiguration

    /// - Throws: what `read` throws: the old configuration stays in force; `AuditError` when the audit log cannot go on in the
    ///   file at its path. Either way the other of the two is done.
    func reload() async throws -> ReloadedConfiguration {
        let reopened: Result<Void, any Error>
        do {
            reopened = .success(try await audit.reopen())
        } catch {
            reopened = .failure(error)
        }
        names.forget()
        let reloaded = try await registry.adopt(read)
        gate.use(reloaded.access, number: reloaded.number)
        try reopened.get()
        return reloaded
    }
}
