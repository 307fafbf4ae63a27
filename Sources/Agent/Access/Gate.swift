import AgentProtocol
import Logging
import Metrics
import Platform

/// Decides whether a caller may do what it asks for. Nothing is carried out when one of these throws.
final class Gate: Sendable {
    private let policy: Locked<AccessPolicy>
    /// The number of the configuration that the policy is from.
    private let number = Locked(0)
    private let rates: RateLimiter
    /// What callers have sent that was of no use.
    let conduct: Conduct
    /// Denials that have not been logged, by user, and when one was: a flood of them must not fill a disk.
    private let denials = Locked<[UInt32: Denials]>([:])
    private let clock: AgentClock
    private let log: Logger

    init(policy: AccessPolicy, clock: AgentClock, log: Logger) {
        self.policy = Locked(policy)
        rates = RateLimiter(clock: clock)
        conduct = Conduct(clock: clock)
        self.clock = clock
        self.log = log
    }

    /// Puts other rules in force, for connections that are open too.
    ///
    /// - Parameter number: counts how often the configuration was read; rules of an earlier reading do not come back.
    func use(_ policy: AccessPolicy, number: Int = .max) {
        let isLatest = self.number.withLock { latest in
            defer { if number != .max { latest = max(latest, number) } }
            return number >= latest
        }
        guard isLatest else { return }
        let former = self.policy.withLock { inForce in
            defer { inForce = policy }
            return inForce
        }
        rates.carryOver(from: former.rules, to: policy.rules)
    }

    /// Whether the caller may call the method at all. To be asked before anything of the request is looked at.
    ///
    /// - Throws: `PERMISSION_DENIED`, naming what was refused and not what exists.
    func checkCall(_ caller: Caller, _ method: Method) throws(ProtocolError) {
        let policy = policy.withLock { $0 }
        if method.isOpenToAll {
            // A stranger has no business here, and is read more rarely the more it asks.
            if policy.party(of: caller) == .strangers { noteUseless(caller) }
            return
        }
        guard policy.deciding(caller, method, issuer: nil) != nil else { throw denied(caller, method, issuer: nil) }
    }

    /// Whether the caller may call the method for an issuer, or with `nil` for all that it may see, and has not done so too
    /// often. Of what is open to all, only the latter is asked, by the rule that would allow it.
    ///
    /// - Returns: what decided.
    /// - Throws: `PERMISSION_DENIED`, `RATE_LIMITED`.
    func authorize(_ caller: Caller, _ method: Method, issuer: String?) throws(ProtocolError) -> AccessDecision {
        let policy = policy.withLock { $0 }
        if method.isOpenToAll {
            let place = policy.deciding(caller, method, issuer: nil)
            if let place { try charge(caller, policy, place) }
            return AccessDecision(policy: policy, place: place)
        }
        guard let place = policy.deciding(caller, method, issuer: issuer) else {
            throw denied(caller, method, issuer: issuer)
        }
        try charge(caller, policy, place)
        log.debug("admitted", metadata: ["method": "\(method)", "caller": "\(caller)"])
        return AccessDecision(policy: policy, place: place)
    }

    /// Takes the request out of what its rule allows in a second.
    private func charge(_ caller: Caller, _ policy: AccessPolicy, _ place: Int) throws(ProtocolError) {
        guard let rate = policy.rules[place].rate, !rates.admit(caller.uid, rule: place, rate) else { return }
        throw ProtocolError(
            .rateLimited, "uid \(caller.uid) calls more often than \(rate.perSecond) times a second",
            hint: "wait a moment, then try again")
    }

    /// Whether the caller may call the method for this issuer: what lists and notifications are made of.
    func mayUse(_ caller: Caller, _ method: Method, issuer: String) -> Bool {
        policy.withLock { $0 }.deciding(caller, method, issuer: issuer) != nil
    }

    /// Whether the caller may call the method for every issuer, by one rule.
    func mayUseAll(_ caller: Caller, _ method: Method) -> Bool {
        let policy = policy.withLock { $0 }
        guard let place = policy.deciding(caller, method, issuer: nil) else { return false }
        return policy.rules[place].issuers?.contains(where: \.isAny) ?? true
    }

    func connectionLimit(_ caller: Caller) -> Int? {
        policy.withLock { $0 }.connectionLimit(caller)
    }

    func party(of caller: Caller) -> Party {
        policy.withLock { $0 }.party(of: caller)
    }

    /// The caller has sent a line that no operation came of.
    func noteUseless(_ caller: Caller) {
        // A party that has come in under other rules is the one that is read more rarely.
        conduct.note(caller.party ?? party(of: caller))
    }

    private struct Denials {
        var loggedAt: Int64
        var unlogged = 0
    }

    private let deniedRequests = Counter(label: "privyseal_denied_total")

    /// Once a second for each user, how many denials there have been since the last that was logged; `nil` in between.
    private func countDenial(_ uid: UInt32) -> Int? {
        let now = clock.monotonic()
        return denials.withLock { denials in
            if denials.count > 1_024 { denials = [:] }
            if let last = denials[uid], now - last.loggedAt < 1_000_000_000 {
                denials[uid]?.unlogged += 1
                return nil
            }
            defer { denials[uid] = Denials(loggedAt: now) }
            return denials[uid]?.unlogged ?? 0
        }
    }

    private func denied(_ caller: Caller, _ method: Method, issuer: String?) -> ProtocolError {
        let name = Method.all.contains(method) ? method.rawValue : quoted(method.rawValue)
        if let unlogged = countDenial(caller.uid) {
            log.info("denied", metadata: ["method": "\(name)", "caller": "\(caller)", "notLoggedBefore": "\(unlogged)"])
        }
        deniedRequests.increment()
        noteUseless(caller)
        let what = issuer.map { " for issuer \(quoted($0))" } ?? ""
        return ProtocolError(
            .permissionDenied, "uid \(caller.uid) may not call \(name)\(what)",
            hint: "ask the operator of the agent for an access rule")
    }
}
