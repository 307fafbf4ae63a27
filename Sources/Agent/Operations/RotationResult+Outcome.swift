import AgentProtocol
import KeyLifecycle

extension RotationResult {
    init(_ outcome: RotationOutcome) {
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
            warnings: Self.warnings(outcome, plan))
    }

    private static func warnings(_ outcome: RotationOutcome, _ plan: RotationPlan) -> [String] {
        var warnings: [String] = []
        if let failure = outcome.generationFailure {
            let successor = plan.incoming == nil ? "the active key stays" : "the standby key signs instead"
            warnings.append("no fresh key could be generated (\(failure)): \(successor)")
        }
        warnings += RelyingPartyAdvice.warnings(of: plan)
        return warnings + [outcome.publication?.warning(publishing: .signingKey)].compactMap(\.self)
    }
}
