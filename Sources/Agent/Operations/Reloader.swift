import AgentProtocol
import Metrics
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

/// What came of the last time that the configuration was read again: one that does not load leaves the agent as it is, until
/// its next start fails.
final class LastReload: Sendable {
    /// Why the configuration did not load the last time.
    private let kept = Locked(ProtocolError?.none)
    private let isSuccessful = Gauge(label: "privyseal_last_reload_successful")
    private let failures = Counter(label: "privyseal_reload_failures_total")

    init() {
        isSuccessful.record(1)
    }

    /// Why it did not load; `nil` when it did, and before it was read again.
    var failure: ProtocolError? { kept.withLock { $0 } }

    /// Reads the configuration, and notes what comes of it.
    func noting<Value>(_ read: () async throws -> Value) async throws -> Value {
        do {
            let value = try await read()
            remember(nil)
            return value
        } catch {
            remember(ProtocolError(mapping: error))
            throw error
        }
    }

    private func remember(_ failure: ProtocolError?) {
        kept.withLock { $0 = failure }
        isSuccessful.record(failure == nil ? 1 : 0)
        if failure != nil { failures.increment() }
    }
}
