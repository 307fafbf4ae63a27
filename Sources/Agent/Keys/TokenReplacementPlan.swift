import AgentProtocol
import IssuerStore
import KeyLifecycle

/// How the issuers of a store move to another token because theirs is gone for good: shown first, executed as it stands.
public struct TokenReplacementPlan: Sendable, Equatable {
    let token: TokenIdentity
    let formerToken: TokenIdentity?
    let issuers: [Issuer]
    /// Private keys that were to be destroyed, or in quarantine, and went with the token.
    let lostObligations: Int
    let at: Timestamp

    /// - Throws: `RecoveryRefusal` when the token is not lost, when there is nothing to replace, or while a restored store is
    ///   undecided.
    init(_ state: ReconciliationPlan, issuers: [Issuer], at moment: Timestamp) throws(RecoveryRefusal) {
        token = state.token
        formerToken = state.formerToken
        self.issuers = issuers
        lostObligations = state.destructions.count + state.quarantinedKeys.count
        at = moment
        guard state.copiedAt == nil, state.quarantine.isEmpty else {
            throw RecoveryRefusal(
                "the store is older than the token, or a copy that nobody has decided about",
                hint: "decide first: privyseald recover --restored")
        }
        let live = issuers.flatMap(\.ring.published).filter { $0.lostAt == nil }
        let isShown =
            state.isProven || live.count != state.missing.count
            || state.destructions.contains { $0.step == .destroy || $0.step == .leave }
        guard !isShown else {
            throw RecoveryRefusal(
                "the token \(token) shows keys of the store: it is not lost",
                hint: "configure the new token; to end a key on this one, rotate or revoke it")
        }
        guard !live.isEmpty || lostObligations > 0 else {
            throw RecoveryRefusal(
                "the store has no key that could have been lost with a token", hint: "start the agent on the new token")
        }
    }

    /// The plan for people, a line each.
    public var lines: [String] {
        var lines = ["new token \(token)"]
        if let formerToken { lines.append("the token \(formerToken) counts as gone, with every private key on it") }
        for issuer in issuers {
            lines.append("issuer \(issuer.name):")
            lines.append("  a new \(issuer.settings.algorithm.rawValue) key becomes active")
            if let active = issuer.ring.active, let change = issuer.retirementByReplacement(at: at) {
                lines.append("  \(active.kid), active, goes on being published as retiring until \(WireTime(change))")
            }
            if let retiring = issuer.ring.retiring {
                lines.append("  \(retiring.kid), retiring, is revoked as by a second rotation: its JWTs stop verifying")
            }
            if let standby = issuer.ring.standby { lines.append("  \(standby.kid), standby, is revoked") }
            lines.append(
                "  for up to \(issuer.cachedUntil(at) - at) s a relying party with a cached JWKS can reject new JWTs")
        }
        if lostObligations > 0 {
            lines.append("\(lostObligations) private keys that were to be destroyed or in quarantine count as lost")
        }
        return lines
    }
}
