import AgentProtocol
import Logging
import Metrics
import Platform

/// The one way to an operation: checks the caller and records that it asked.
///
/// An operation must not be begun when one of these throws.
final class Gate: Sendable {
    private let policy: Locked<AccessPolicy>
    private let rates: RateLimiter
    private let log: Logger

    init(policy: AccessPolicy, clock: AgentClock, log: Logger) {
        self.policy = Locked(policy)
        rates = RateLimiter(clock: clock)
        self.log = log
    }

    /// Puts other rules in force, for connections that are open too.
    func use(_ policy: AccessPolicy) {
        self.policy.withLock { $0 = policy }
        rates.reset()
    }

    /// Whether the caller may call the method at all. To be asked before anything of the request is looked at.
    ///
    /// - Throws: `PERMISSION_DENIED`, naming what was refused and not what exists.
    func admit(_ caller: Caller, _ method: Method) throws(ProtocolError) {
        let policy = policy.withLock { $0 }
        guard policy.deciding(caller, method, issuer: nil) != nil else { throw denied(caller, method, issuer: nil) }
    }

    /// Whether the caller may call the method for an issuer, or with `nil` for all that it may see, and has not done so too
    /// often.
    ///
    /// - Returns: the rule that decided.
    /// - Throws: `PERMISSION_DENIED`, `RATE_LIMITED`.
    @discardableResult
    func authorize(_ caller: Caller, _ method: Method, issuer: String?) throws(ProtocolError) -> AccessRule {
        let policy = policy.withLock { $0 }
        guard let place = policy.deciding(caller, method, issuer: issuer) else {
            throw denied(caller, method, issuer: issuer)
        }
        let rule = policy.rules[place]
        if let rate = rule.rate, !rates.admit(caller.uid, rule: place, rate) {
            throw ProtocolError(
                .rateLimited, "uid \(caller.uid) calls more often than \(rate.perSecond) times a second",
                hint: "wait a moment, then try again")
        }
        log.debug("admitted", metadata: ["method": "\(method)", "caller": "\(caller)"])
        return rule
    }

    /// Whether the caller may call the method for this issuer: what lists and notifications are made of.
    func mayUse(_ caller: Caller, _ method: Method, issuer: String) -> Bool {
        policy.withLock { $0 }.deciding(caller, method, issuer: issuer) != nil
    }

    func connectionLimit(_ caller: Caller) -> Int? {
        policy.withLock { $0 }.connectionLimit(caller)
    }

    private func denied(_ caller: Caller, _ method: Method, issuer: String?) -> ProtocolError {
        log.info("denied", metadata: ["method": "\(method)", "caller": "\(caller)"])
        Counter(label: "privyseal_denied_total").increment()
        let what = issuer.map { " for issuer \"\($0.prefix(64))\"" } ?? ""
        return ProtocolError(
            .permissionDenied, "uid \(caller.uid) may not call \(method)\(what)",
            hint: "ask the operator of the agent for an access rule")
    }
}
