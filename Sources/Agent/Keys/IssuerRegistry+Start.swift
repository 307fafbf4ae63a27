import IssuerStore
import KeyLifecycle
import Logging

extension IssuerRegistry {
    /// How often a token that cannot be read just then is asked who else uses it, before keys are looked at without knowing.
    private static let mostFirstLooks = 3

    /// Looks at the token as a whole and decides whether the store fits it; then finishes what a crash has left.
    ///
    /// A failure leaves every issuer refusing signatures until `tick()` has had the token looked at.
    func checkToken() async {
        do {
            // Whatever comes of the steps: what fails is tried again issuer by issuer.
            // What is to be destroyed gives way to the callers that wait for the agent: it is done with what else issuers have left to do.
            for failure in try await bringTogether(destroying: false).steps.compactMap(\.failure) {
                log.warning("token and store could not be brought together", metadata: ["reason": "\(failure)"])
            }
            await proveCustody()
            await queueFollowUps()
        } catch {
            standing.postponeCheck(at: clock.monotonicSeconds)
            log.error("the token could not be checked", metadata: ["reason": "\(error)"])
        }
    }

    /// Looks at the token, decides which issuers may serve, and finishes what a crash has left.
    ///
    /// - Parameter isDestroying: whether keys are destroyed as well.
    /// - Throws: `HSMError`, `StoreError`.
    func bringTogether(
        destroying isDestroying: Bool
    ) async throws -> (plan: ReconciliationPlan, steps: [ReconciliationStep]) {
        // Before anything is made or destroyed.
        for _ in 1...Self.mostFirstLooks where !standing.agents.hasBegun { await lookForOtherAgents() }
        let plan = try await planReconciliation()
        adoptFirstLook(plan)
        return (plan, await take(isDestroying ? plan.steps : plan.steps.filter { !$0.isDestruction }))
    }

    private func adoptFirstLook(_ plan: ReconciliationPlan) {
        standing.adopt(plan)
        showRefusals()
        for (name, why) in standing.quarantine.sorted(by: { $0.key < $1.key }) {
            log.error(
                "an issuer is in quarantine: it signs nothing, and nothing of it is published, made or destroyed",
                metadata: ["issuer": "\(name)", "reason": "\(why.reason)", "hint": "\(why.hint)"])
        }
        if issuers.isEmpty, !plan.otherDeployments.isEmpty {
            log.warning(
                "the store has no issuers, and the token has keys of another deployment",
                metadata: [
                    "keys": "\(plan.otherDeployments.values.reduce(0, +))",
                    "hint": "if a store was lost, stop the agent and rebuild it: privyseald recover --from-token",
                ])
        }
    }

    private func queueFollowUps() async {
        let names = Set(issuers.keys).union(obligations.issuersOfDestructions).subtracting(standing.quarantine.keys)
        for name in names { await enqueueFollowUp(name) }
    }

    /// Whether the token has to be looked at as a whole now, and can be.
    var isTokenCheckDue: Bool {
        hsmStatus.trouble == nil
            && standing.isCheckDue(
                at: clock.monotonicSeconds, tokenGeneration: custody.tokenGeneration, hasIssuers: !issuers.isEmpty)
    }

    /// Looks for one key of the store on the token.
    func proveToken() async throws {
        for key in allIssuers.flatMap(\.ring.published) where !isTokenProven && key.lostAt == nil {
            guard try await custody.publicKey(of: key.keyID) == key.publicKey else { continue }
            await noteProven()
        }
        standing.noteExamined(tokenGeneration: custody.tokenGeneration)
        if !isTokenProven, !issuers.isEmpty { logUnproven() }
    }

    func logUnproven() {
        log.error(
            "the token shows none of the keys in the store: nothing on it is made or destroyed",
            metadata: [
                "token": "\(custody.tokenIdentity)", "last": "\(standing.knownToken?.description ?? "unknown")",
                "hint": "check that it is the token the keys were made on",
            ])
    }

    /// The token has shown a key of the store: remembers which token it is. That another one does is only worth a word: the
    /// members of a group of HSMs have a serial number each.
    func noteProven() async {
        standing.noteProven(tokenGeneration: custody.tokenGeneration)
        let token = custody.tokenIdentity
        guard token != standing.knownToken else { return }
        if let knownToken = standing.knownToken {
            log.notice(
                "another token than the last time has the keys of the store",
                metadata: ["token": "\(token)", "last": "\(knownToken)"])
        }
        do {
            try await noting { try await store.noteToken(token) }
            standing.noteKnown(token)
        } catch {
            log.warning("which token has the keys could not be noted", metadata: ["reason": "\(error)"])
        }
    }
}
