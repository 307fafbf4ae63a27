import IssuerStore
import KeyLifecycle
import Logging

/// What came of one step of a reconciliation.
struct ReconciliationStep: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case intent(ReconciliationPlan.Intent)
        case destruction(ReconciliationPlan.Destruction)
    }

    let kind: Kind
    /// Whether it has been carried out; false in a dry run.
    var isDone = false
    /// Why it could not be.
    var failure: String?
}

extension IssuerRegistry {
    /// Puts token and store side by side, and with `dryRun` leaves it at that.
    ///
    /// - Throws: `HSMError`, `StoreError`. What fails of the execution is in the steps.
    func reconcile(dryRun: Bool) async throws -> (plan: ReconciliationPlan, steps: [ReconciliationStep]) {
        let plan = try await planReconciliation()
        return (plan, dryRun ? plan.steps : await take(plan.steps))
    }

    /// What token and store ask for, as both are now.
    func planReconciliation() async throws -> ReconciliationPlan {
        var known = Set(allIssuers.flatMap { $0.ring.published.map(\.keyID) })
        known.formUnion(obligations.destructions.map(\.keyID))
        let before = obligations.underWay
        let inventory = try await custody.inventory(knowing: known)
        // The store is read after the token: a key that is there by now had its intent before.
        let (contents, recognised) = try await noting(reading: true) {
            (try await claimedContents(), try await store.recognised(Set(inventory.entries.keys)))
        }
        let plan = ReconciliationPlan(
            inventory, contents, recognised: recognised, deployment: store.deployment.id,
            underWay: before.union(obligations.underWay).union(await othersIntents(contents)), at: clock.wall())
        standing.note(plan)
        guard custody.tokenGeneration == plan.tokenGeneration else { return plan }
        if plan.isProven { await noteProven() } else if !issuers.isEmpty { logUnproven() }
        return plan
    }

    /// Of a shared store without what cannot be believed of it: one record keeps no other issuer from being served.
    private func claimedContents() async throws -> StoreContents {
        guard let fleet else { return try await store.contents() }
        return try await fleet.store.view().claimed
    }

    /// The generations of other agents that take part: theirs to end.
    private func othersIntents(_ contents: StoreContents) async -> Set<KeyID> {
        guard let fleet, let reading = try? await fleet.store.fleet() else { return [] }
        let others = Set(reading.entries.map(\.member.incarnation)).subtracting([fleet.member.incarnation])
        return Set(contents.intents.filter { intent in intent.incarnation.map(others.contains) == true }.map(\.keyID))
    }

    /// Takes steps that a caller or the start waits for, each among the other changes of its issuer. Issuers in quarantine are left
    /// alone, and on a token that shows none of the store's keys nothing happens.
    func take(_ planned: [ReconciliationStep]) async -> [ReconciliationStep] {
        var steps: [ReconciliationStep] = []
        for planned in planned {
            var step = planned
            if standing.quarantine(of: planned.issuer) == nil && standing.standstill == nil {
                do {
                    step.isDone = try await queue.run(planned.issuer) { try await self.takeInTurn(planned.kind) }
                } catch {
                    step.failure = "\(error)"
                }
            }
            steps.append(step)
        }
        return steps
    }

    private func takeInTurn(_ step: ReconciliationStep.Kind) async throws -> Bool {
        switch step {
        case .intent(let item):
            guard item.step != .keep, mayTouchToken else { return false }
            return try await resolve(item.intent) != .kept
        case .destruction(let item):
            guard item.step == .destroy || item.step == .conclude else { return false }
            if !obligations.isToBeDestroyed(item.destruction.keyID) { return true }
            return try await destroy(item.destruction, isAwaited: true) == .done
        }
    }

    enum IntentOutcome {
        case adopted, abandoned, buried, kept
    }

    /// Decides what becomes of a cut-off generation, by what the token shows now.
    func resolve(_ intent: GenerationIntent) async throws -> IntentOutcome {
        let outcome = try await decide(intent)
        obligations.concludeIntent(intent.keyID)
        guard outcome != .kept else { return .kept }
        log.notice(
            "reconciled a key generation that was cut off",
            metadata: ["issuer": "\(intent.issuer)", "keyID": "\(intent.keyID)", "outcome": "\(outcome)"])
        return outcome
    }

    private func decide(_ intent: GenerationIntent) async throws -> IntentOutcome {
        do {
            guard try await custody.contains(intent.keyID, labelled: label(of: intent.issuer)) else {
                guard !intent.isTombstone else { return .kept }
                try await noting { try await store.bury(intent.keyID) }
                return .buried
            }
            if try await adoptAsStandby(intent) { return .adopted }
            try await abandon(intent.keyID, of: intent.issuer)
            await enqueueDestruction(of: intent.issuer)
            return .abandoned
        } catch let error as StoreError where error.code == .conflict {
            // Another change, or another writer of the store, has decided meanwhile.
            return .kept
        }
    }

    private func adoptAsStandby(_ intent: GenerationIntent) async throws -> Bool {
        guard !intent.isTombstone, let issuer = issuers[intent.issuer], issuer.needsStandby,
            let key = try await custody.heldKey(
                intent.keyID, labelled: label(of: intent.issuer), for: intent.algorithm),
            key.specification == issuer.settings.keySpecification
        else { return false }
        try await commit(issuer.publishingStandby(key, at: clock.wall()), fulfilling: [key.keyID])
        return true
    }
}

extension ReconciliationPlan {
    /// Everything that is to be done or waited for, in the order in which it is.
    var steps: [ReconciliationStep] {
        intents.map { ReconciliationStep(kind: .intent($0)) } + destructions.map { ReconciliationStep(kind: .destruction($0)) }
    }
}

extension ReconciliationStep {
    var isDestruction: Bool {
        if case .destruction = kind { true } else { false }
    }

    var issuer: IssuerName {
        switch kind {
        case .intent(let item): item.intent.issuer
        case .destruction(let item): item.destruction.issuer
        }
    }
}
