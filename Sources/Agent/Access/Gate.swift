import AgentProtocol
import Logging
import Metrics

/// The one way to an operation: checks the caller and records that it asked.
///
/// An operation must not be begun when `admit` throws.
struct Gate: Sendable {
    let policy: AccessPolicy
    let log: Logger

    /// - Throws: `PERMISSION_DENIED`, naming what was refused and not what exists.
    func admit(_ caller: Caller, _ method: Method) throws(ProtocolError) {
        guard policy.allows(caller, method) else {
            log.notice("denied", metadata: ["method": "\(method)", "caller": "\(caller)"])
            Counter(label: "privyseal_denied_total").increment()
            throw ProtocolError(
                .permissionDenied, "uid \(caller.uid) may not call \(method)",
                hint: "ask the operator of the agent, or call it as the user it runs as")
        }
        log.debug("admitted", metadata: ["method": "\(method)", "caller": "\(caller)"])
    }
}
