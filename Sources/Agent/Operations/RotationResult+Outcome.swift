import AgentProtocol
import KeyLifecycle

extension RotationResult {
    /// - Parameter destroyedKeysStop: whether destroying a key stops who has used it on this token; `nil` where it was not tried.
    init(_ outcome: RotationOutcome, destroyedKeysStop: Bool?) {
        let plan = outcome.executed ?? outcome.plan
        self.init(
            issuer: outcome.issuer.name.text, dryRun: outcome.executed == nil,
            plan: RotationPlanView(outcome.plan, executed: outcome.executed),
            activeKid: outcome.issuer.ring.active?.kid ?? "", generation: outcome.issuer.generation,
            publication: outcome.publication.map(PublicationView.init), exposureSeconds: plan.exposure,
            relyingParties: plan.exposures.map { exposure in
                RelyingPartyView(
                    kind: exposure.kind.rawValue, refusesNewSeconds: exposure.refusesNew,
                    acceptsRevokedSeconds: exposure.acceptsRevoked)
            },
            settlement: outcome.settlement.map {
                SettlementView($0, areKeysDestroyed: outcome.areKeysDestroyed, destroyedKeysStop: destroyedKeysStop)
            },
            warnings: Self.warnings(outcome, plan))
    }

    private static func warnings(_ outcome: RotationOutcome, _ plan: RotationPlan) -> [String] {
        var warnings: [String] = []
        if let failure = outcome.generationFailure {
            let successor = plan.incoming == nil ? "the active key stays" : "the standby key signs instead"
            warnings.append("no fresh key could be generated (\(failure)): \(successor)")
        }
        if outcome.isFulfilledElsewhere {
            warnings.append("another agent has done the same at the same moment: nothing was left to do")
        }
        warnings += RelyingPartyAdvice.warnings(of: plan)
        if let warning = outcome.publication?.warning(publishing: .signingKey) { warnings.append(warning) }
        warnings += outcome.readiness?.warnings ?? []
        warnings += outcome.settlement?.warnings ?? []
        if plan.signsFrom != nil, outcome.clockDoubt != nil {
            warnings.append(
                "the wall clock is suspect, so the rotation waits until it is right or accepted: see health, and "
                    + "privyseal call reload '{\"acceptClock\":true}'")
        }
        return warnings
    }

    /// Of a key in quarantine: nothing that is published changes.
    init(_ revocation: QuarantinedKeyRevocation) {
        let (key, issuer) = (revocation.key, revocation.issuer)
        let generation = issuer?.generation ?? 0
        let retiring = issuer?.ring.retiring.flatMap { retiring in
            retiring.expiresAt.map { RetiringKeyView(kid: retiring.kid, expiresAt: WireTime($0)) }
        }
        self.init(
            issuer: key.issuer.text, dryRun: revocation.isDryRun,
            plan: RotationPlanView(
                generation: generation, incoming: nil, retiring: retiring, revoked: [key.name], standbyFollows: false),
            activeKid: issuer?.ring.active?.kid ?? "", generation: generation, publication: nil, exposureSeconds: 0,
            warnings: ["the key was in quarantine: nothing that is published changes, its private key is destroyed"])
    }
}
