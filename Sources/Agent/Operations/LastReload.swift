import AgentProtocol
import Metrics
import Platform

/// What came of the last time that the configuration was read again: one that does not load leaves the agent as it is, until
/// its next start fails.
final class LastReload: Sendable {
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
            note(nil)
            return value
        } catch {
            note(ProtocolError(mapping: error))
            throw error
        }
    }

    private func note(_ failure: ProtocolError?) {
        kept.withLock { $0 = failure }
        isSuccessful.record(failure == nil ? 1 : 0)
        if failure != nil { failures.increment() }
    }
}
