import IssuerStore
import KeyLifecycle
import Logging

extension IssuerRegistry {
    /// Seconds between looks at a token that could not be looked at.
    private static let checkInterval: Int64 = 1

    /// Reads the store. Nothing is signed before the token has been looked at.
    ///
    /// - Throws: `StoreError`.
    func load() async throws {
        let contents = try await store.contents()
        clockGuard = ClockGuard(lastChange: contents.lastChange)
        clockGuard.observe(wall: clock.wall(), monotonic: clock.monotonicSeconds)
        destructions = contents.destructions
        quarantinedKeys = contents.quarantined
        formerGenerations = contents.formerGenerations
        knownToken = contents.token
        copiedAt = contents.copiedAt
        notedFrontends = contents.frontends
        soleUse = SoleUse(own: soleUse.own, known: contents.agents)
        if let copiedAt {
            quarantine = Dictionary(uniqueKeysWithValues: contents.issuers.map { ($0.name, .copiedStore(copiedAt)) })
        }
        for issuer in contents.issuers {
            show(issuer, try signingState(of: issuer), named: issuer.name)
        }
    }

    /// How often a token that cannot be read just then is asked who else uses it, before keys are looked at without knowing.
    private static let mostFirstLooks = 3

    /// Looks at the token as a whole and decides whether the store fits it; then finishes what a crash has left.
    ///
    /// A failure leaves every issuer refusing signatures until `tick()` has had the token looked at.
    func checkToken() async {
        do {
            // Whatever comes of the steps: what fails is tried again issuer by issuer.
            // What is to be destroyed gives way to whoever waits for the agent: it is done with what else issuers have left to do.
            for failure in try await bringTogether(destroying: false).steps.compactMap(\.failure) {
                log.warning("token and store could not be brought together", metadata: ["reason": "\(failure)"])
            }
            await queueFollowUps()
        } catch {
            nextTokenCheck = clock.monotonicSeconds + Self.checkInterval
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
        for _ in 1...Self.mostFirstLooks where !soleUse.hasBegun { await lookForOtherAgents() }
        let plan = try await planReconciliation()
        adopt(plan)
        return (plan, await execute(isDestroying ? plan.steps : plan.steps.filter { !$0.isDestruction }))
    }

    /// What the first look at the token means for the issuers. One that serves already goes on serving whatever a later look
    /// shows: it is told in `health`, and counts at the next start.
    private func adopt(_ plan: ReconciliationPlan) {
        examinedGeneration = plan.tokenGeneration
        quarantine = plan.quarantine.filter { !isTokenChecked || quarantine[$0.key] != nil }
        isTokenChecked = true
        showRefusals()
        for (name, why) in quarantine.sorted(by: { $0.key < $1.key }) {
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
        let names = Set(issuers.keys).union(destructions.map(\.issuer)).subtracting(quarantine.keys)
        for name in names { await enqueueFollowUp(name) }
    }

    /// Whether the token has to be looked at now: for the first time, because the module was initialised anew, or because it
    /// may be another one than that which put issuers in quarantine.
    var isTokenCheckDue: Bool {
        guard tokenCheck == nil, nextTokenCheck <= clock.monotonicSeconds, hsmStatus.trouble == nil else { return false }
        return !isTokenChecked || (!mayTouchToken && examinedGeneration != custody.tokenGeneration)
            || (!quarantine.isEmpty && copiedAt == nil && lastPlan?.tokenGeneration != custody.tokenGeneration)
    }

    /// Looks for one key of the store on the token.
    func proveToken() async throws {
        for key in allIssuers.flatMap(\.ring.published) where !isTokenProven && key.lostAt == nil {
            guard try await custody.publicKey(of: key.keyID) == key.publicKey else { continue }
            await noteProven()
        }
        examinedGeneration = custody.tokenGeneration
        if !isTokenProven, !issuers.isEmpty { logUnproven() }
    }

    func logUnproven() {
        log.error(
            "the token shows none of the keys in the store: nothing on it is made or destroyed",
            metadata: [
                "token": "\(custody.tokenIdentity)", "last": "\(knownToken?.description ?? "unknown")",
                "hint": "check that it is the token the keys were made on",
            ])
    }

    /// The token has shown a key of the store: remembers which token it is. That another one does is only worth a word: the
    /// members of a group of HSMs have a serial number each.
    func noteProven() async {
        isTokenProven = true
        let token = custody.tokenIdentity
        guard token != knownToken else { return }
        if let knownToken {
            log.notice(
                "another token than the last time has the keys of the store",
                metadata: ["token": "\(token)", "last": "\(knownToken)"])
        }
        do {
            try await noting { try await store.noteToken(token) }
            knownToken = token
        } catch {
            log.warning("which token has the keys could not be noted", metadata: ["reason": "\(error)"])
        }
    }

    /// Whether keys may be made and destroyed: not on a token that holds none of the store's keys, unless it has none yet.
    var mayTouchToken: Bool {
        isTokenProven || issuers.isEmpty
    }
}
