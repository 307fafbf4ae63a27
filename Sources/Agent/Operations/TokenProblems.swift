import AgentProtocol
import KeyLifecycle

/// What `health` says of token and store as a pair.
extension RegistryReading {
    /// Whose token it is.
    var tokenProblems: [HealthProblem] {
        guard standing.isChecked else {
            return [
                HealthProblem(
                    component: "hsm", message: "the token has not been looked at since the start, so nothing is signed",
                    hint: "the agent tries again by itself; bring the token back")
            ]
        }
        // One that has just been found again is looked at in a moment.
        guard !standing.mayTouch(tokenGeneration: tokenGeneration, hasIssuers: hasIssuers),
            standing.isExamined(tokenGeneration: tokenGeneration)
        else { return [] }
        let unproven = HSMError.unproven(token, last: standing.knownToken)
        return [HealthProblem(component: "hsm", message: unproven.message, hint: unproven.hint)]
    }

    /// Who else uses it.
    var otherAgentProblems: [HealthProblem] {
        switch standing.agents.standing {
        case .alone: []
        case .earlier(let other):
            [
                HealthProblem(
                    component: "hsm",
                    message: "another agent of this deployment, \(other.whose), uses the token; it has started after this one",
                    hint: SoleUse.earlierHint)
            ]
        case .later(let other):
            [
                HealthProblem(
                    component: "hsm", message: "nothing is signed: \(Quarantine.anotherAgent(other.whose).reason)",
                    hint: Quarantine.anotherAgent(other.whose).hint)
            ]
        }
    }

    /// Which of the two is older.
    var quarantineProblems: [HealthProblem] {
        if let doubt = standing.storeDoubt {
            return [
                HealthProblem(component: "store", message: "every issuer is in quarantine: \(doubt.reason)", hint: doubt.hint)
            ]
        }
        var problems = standing.quarantine.merging(standing.storeDoubts) { first, _ in first }.sorted { $0.key < $1.key }.map {
            name, why in
            HealthProblem(
                component: "lifecycle", message: "issuer \(name) is in quarantine: \(why.reason)", hint: why.hint)
        }
        if let copiedAt = standing.copiedAt, standing.quarantine.isEmpty {
            problems.append(
                HealthProblem(
                    component: "store", message: "the store is a copy made at \(WireTime(copiedAt)), and no issuer can be made",
                    hint: Quarantine.hint))
        }
        // Found while the agent was running: it goes on, since it cannot tell who is wrong.
        let laterFound = (standing.lastPlan?.quarantine ?? [:]).filter { standing.quarantine[$0.key] == nil }
        for (name, why) in laterFound.sorted(by: { $0.key < $1.key }) {
            problems.append(
                HealthProblem(
                    component: "lifecycle", message: "issuer \(name) would be in quarantine after a restart: \(why.reason)",
                    hint: "make sure that no other agent uses the token with a copy of this store; then: "
                        + "privyseal reconcile --dry-run"))
        }
        if !hasIssuers, let others = standing.lastPlan?.otherDeployments, !others.isEmpty {
            let count = others.values.reduce(0, +)
            problems.append(
                HealthProblem(
                    component: "store",
                    message: "the store has no issuers, and the token has \(count) keys of another deployment",
                    hint: "if a store was lost, stop the agent and rebuild it: privyseald recover --from-token; "
                        + "otherwise create an issuer"))
        }
        return problems
    }
}
