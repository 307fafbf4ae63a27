import AgentProtocol
import KeyLifecycle

/// What changes of an issuer mean to relying parties, a line each: the warnings of replies.
enum RelyingPartyAdvice {
    /// go-oidc v3 reads the algorithms once: a new one is refused until it does so again.
    private static let readsOnce =
        "relying parties that read the discovery document's algorithms only when they start (go-oidc v3)"

    /// For a rotation or a revocation: whom it can surprise, and for how long.
    static func warnings(of plan: RotationPlan) -> [String] {
        var warnings = plan.exposures.compactMap(surprise)
        if plan.isRevoking, plan.exposure > 0 {
            warnings.append(
                "a relying party to which no new JWT comes can accept a revoked key for as long as it keeps the JWKS, "
                    + "\(plan.exposure) s if it keeps to the max-age")
        }
        if let change = plan.algorithmChange { warnings.append(rotating(change)) }
        return warnings
    }

    private static func surprise(_ exposure: Exposure) -> String? {
        let surprises = [
            exposure.refusesNew > 0 ? "reject new JWTs for up to \(exposure.refusesNew) s" : nil,
            exposure.acceptsRevoked > 0 ? "accept a revoked key for up to \(exposure.acceptsRevoked) s" : nil,
        ].compactMap(\.self)
        return surprises.isEmpty
            ? nil : "relying parties that \(habit(exposure.kind)) can \(surprises.joined(separator: " and "))"
    }

    private static func habit(_ kind: RelyingPartyKind) -> String {
        switch kind {
        case .fetchesAtUnknownKid: "fetch at an unknown kid (go-oidc v3)"
        case .fetchesNearExpiry: "fetch only when max-age is nearly over (kube-apiserver, go-oidc v2)"
        case .limitsFetching: "limit their fetches (PyJWT, jose)"
        }
    }

    private static func rotating(_ change: RotationPlan.AlgorithmChange) -> String {
        let since = change.publishedAt.map {
            "unless they were restarted since \(WireTime($0).text), when the document first named it"
        }
        return "\(change.to.rawValue) signs in place of \(change.from.rawValue): \(readsOnce) refuse it "
            + (since ?? "until they are restarted after this rotation")
    }

    /// For settings: a max-age at which a fresh key is refused for longer than it has to be.
    static func warnings(of settings: IssuerSettings) -> [String] {
        let late = settings.jwksMaxAge - RelyingPartyKind.lastSeconds
        guard late > 0 else { return [] }
        return [
            "relying parties that \(habit(.fetchesNearExpiry)) can reject JWTs by a fresh key for up to \(late) s; with a JWKS "
                + "max-age of \(IssuerSettings.defaultMaxAge) s they fetch it at once"
        ]
    }

    /// For an update: in which order to go on with a new algorithm. Empty unless the active key signs with another one.
    static func warnings(of after: Issuer, before: Issuer) -> [String] {
        let wanted = after.settings.algorithm
        guard before.settings.algorithm != wanted, let active = after.ring.active?.algorithm, active != wanted else { return [] }
        guard after.settings.standby else {
            return [
                "\(readsOnce) refuse \(wanted.rawValue) until they are restarted, and without a standby key the document names "
                    + "it only when it signs: switch the standby key on, restart them, and only then rotate"
            ]
        }
        let schedule = after.nextScheduledRotation.map { "; by schedule that happens at \(WireTime($0).text)" } ?? ""
        return [
            "\(readsOnce) refuse \(wanted.rawValue) until they are restarted: the document names it from now on, so restart "
                + "them, and only then rotate\(schedule)"
        ]
    }
}
