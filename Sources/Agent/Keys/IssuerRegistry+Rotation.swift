import IssuerStore
import KeyLifecycle
import Logging

/// What came of a rotation, a revocation or a cancellation.
struct RotationOutcome: Sendable {
    /// As it was decided, before a fresh key had a kid.
    var plan: RotationPlan
    /// The issuer afterwards; as it is, for a dry run.
    var issuer: Issuer
    /// As it was executed; `nil` for a dry run.
    var executed: RotationPlan?
    /// How a fresh key was made known; `nil` when there was none.
    var publication: PublicationOutcome?
    /// Why no fresh key could be generated for a revocation that went ahead without.
    var generationFailure: String?
    /// Why the wall clock may not be acted on, if it may not.
    var clockDoubt: ClockGuard.Doubt?
    /// Which other agents could not use the incoming key, or serve it, when it took over; `nil` where there are none to ask.
    var readiness: FleetReadiness?
    /// How it came to count for the other agents; `nil` where there are none to ask.
    var settlement: FleetSettlement?
    /// Whether the private keys that it revokes have been destroyed; `nil` where that is not waited for.
    var areKeysDestroyed: Bool?
    /// Where it stands in a shared store.
    var place: StorePosition?
    /// Whether another agent did the same at the same moment, so that nothing was left to do.
    var isFulfilledElsewhere = false
}

/// What the tries of an order have done so far.
struct RotationTries: Sendable {
    /// Standby keys that gave way to fresh ones, also in a try that came to nothing.
    var discarded: [String] = []
    /// Whether a fresh key has been published for it.
    var hasPublished = false
}

extension IssuerRegistry {
    /// Rotates or cancels a rotation that waits, or with `dryRun` says what that would do.
    ///
    /// - Throws: `LifecycleError`: `.issuerNotFound`, `.conflict`, `.wouldRevoke`; `HSMError`; `StoreError`.
    func rotate(_ text: String, _ order: RotationOrder, dryRun: Bool) async throws -> RotationOutcome {
        try await rotate(issuer(named: text), order, dryRun: dryRun)
    }

    /// Revokes a key, or with `dryRun` says what that would do.
    ///
    /// - Throws: `LifecycleError`: `.keyNotFound`, `.conflict`, `.noKeyLeft`; `StoreError`.
    func revoke(_ kid: String, ifGeneration expected: Int?, dryRun: Bool) async throws -> RotationOutcome {
        try await rotate(issuer(publishing: kid), .revoke(kid: kid, ifGeneration: expected), dryRun: dryRun)
    }

    private func rotate(_ issuer: Issuer, _ order: RotationOrder, dryRun: Bool) async throws -> RotationOutcome {
        let outcome = try await queue.run(issuer.name) { try await self.rotateOrFindRotated(issuer, order, dryRun: dryRun) }
        return outcome.executed == nil ? outcome : await settled(outcome)
    }

    /// As `rotateInTurn`. One that has lost against another agent's change is planned again on what that one made, unless that is
    /// what was asked for: a rotation that two agents were told of at the same moment is one, and must not become a second one,
    /// which would revoke a key.
    ///
    /// - Parameter asked: the issuer as it was when it was asked for.
    private func rotateOrFindRotated(
        _ asked: Issuer, _ order: RotationOrder, dryRun: Bool
    ) async throws -> RotationOutcome {
        let name = asked.name
        var tries = RotationTries()
        do {
            return try await planningAgain {
                let order = tries.hasPublished ? order.onceBegun : order
                if !dryRun, let now = issuers[name], shared.isRotatedElsewhere(name, since: asked.generation),
                    order.isFulfilled(by: now, since: asked)
                {
                    let conditions = RotationOrder.Conditions(isClockTrusted: trustedNow() != nil)
                    let plan = try order.plan(for: asked, at: clock.wall(), conditions).alsoEnding(tries.discarded).asCarriedOut(
                        by: now)
                    log.notice("another agent has rotated the signing keys at the same moment", metadata: ["issuer": "\(name)"])
                    return RotationOutcome(
                        plan: plan, issuer: now, executed: plan, place: shared.position(of: name), isFulfilledElsewhere: true)
                }
                return try await rotateInTurn(name, order, dryRun: dryRun, &tries)
            }
        } catch  where tries.hasPublished && isBegun(order, of: name) {
            throw StoreError.carriedOn(error)
        }
    }

    /// Whether the revocation that is ordered has been begun, and not been carried out.
    private func isBegun(_ order: RotationOrder, of name: IssuerName) -> Bool {
        guard let kid = order.revokedKid else { return false }
        return issuers[name]?.revoking?.kids.contains(kid) == true
    }

    /// Has what was revoked destroyed, which stops every agent whose token is this one, and waits until no agent goes by what was
    /// before any more.
    private func settled(_ outcome: RotationOutcome) async -> RotationOutcome {
        var outcome = outcome
        let name = outcome.issuer.name
        let isWithdrawing = outcome.executed?.isRevoking == true && outcome.issuer.isServed
        guard fleet != nil else {
            if isWithdrawing { outcome.settlement = await withdrawal(of: outcome.issuer) }
            return outcome
        }
        if let plan = outcome.executed, !plan.revoked.isEmpty {
            try? await queue.run(name) { try await self.destroyPending(of: name, isAwaited: true) }
            let revoked = Set(outcome.issuer.ring.keys.filter { plan.revoked.contains($0.kid) }.map(\.keyID))
            outcome.areKeysDestroyed = !obligations.destructions(of: name).contains { revoked.contains($0.keyID) }
        }
        outcome.settlement = await settle(
            name, at: outcome.place, withdrawing: isWithdrawing ? outcome.issuer.generation : nil)
        return outcome
    }

    /// The walk of every rotation, revocation and cancellation, among the other changes of the issuer: plan; have a fresh key
    /// made and published, where the plan wants one; freeze; plan for that moment; commit, which shows; drain.
    ///
    /// - Parameter tries: what this one and earlier ones have done.
    func rotateInTurn(
        _ name: IssuerName, _ order: RotationOrder, dryRun: Bool, _ tries: inout RotationTries
    ) async throws -> RotationOutcome {
        var conditions = RotationOrder.Conditions(isClockTrusted: trustedNow() != nil)
        try requireServing(name)
        // A key whose time is over must not make this a second rotation, just because the clock had not been looked at.
        if !dryRun { await expire(name) }
        let committed = try issuer(named: name.text)
        let issuer = trustedNow().flatMap { committed.expiring(at: $0)?.issuer } ?? committed

        // Plan.
        var outcome = RotationOutcome(
            plan: try order.plan(for: dryRun ? issuer : committed, at: clock.wall(), conditions), issuer: issuer)
        outcome.clockDoubt = clockDoubt
        if dryRun { return outcome }

        // Make the fresh key.
        var fresh: GeneratedKey?
        do {
            if let wanted = outcome.plan.freshKey { fresh = try await generateKey(for: name, wanted) }
        } catch let error as HSMError where order.isRevocation {
            log.error("no fresh key for a revocation", metadata: ["issuer": "\(name)", "reason": "\(error)"])
            conditions.canGenerate = false
            outcome.generationFailure = "\(error)"
            outcome.plan = try order.plan(for: issuer, at: clock.wall(), conditions)
        }
        if outcome.plan.signsFrom != nil { return try await deferRotation(outcome, fresh: fresh) }

        // Publish what is to sign.
        if let fresh {
            try await commit(
                of: name, with: fresh,
                try issuer.publishingFresh(
                    fresh, for: outcome.plan, revoking: order.revokedKid, by: fleet?.member.initiator, at: clock.wall()))
            tries.hasPublished = true
            if let standby = issuer.ring.standby { tries.discarded.append(standby.kid) }
            async let readiness = readiness(of: name, kid: fresh.kid)
            outcome.publication = await publication(of: try self.issuer(named: name.text))
            outcome.readiness = await readiness
        } else if case .standby(let kid, _) = outcome.plan.incoming {
            async let readiness = readiness(of: name, kid: kid)
            // A standby key that is as young as a fresh one is published like one.
            if outcome.plan.exposure > 0 {
                let publication = await publication(of: issuer)
                if publication.isTimedOut { outcome.publication = publication }
            }
            outcome.readiness = await readiness
        }

        // Freeze.
        let moment = board.freeze(name.text, clock: clock)
        defer { board.thaw(name.text) }
        do {
            // Plan for that moment.
            let frozen = try accountingForSignatures(fresh == nil ? issuer : self.issuer(named: name.text))
            let plan =
                if let fresh {
                    frozen.continuing(outcome.plan, withPublished: fresh.kid, at: moment)
                } else {
                    try order.plan(for: frozen, at: moment, conditions)
                }
            // Commit, which shows; then the last signature with an outgoing key.
            let committed = try await commit(frozen.executing(plan))
            outcome.place = committed.place
            await committed.former?.use.drained()
            outcome.executed = plan
            outcome.plan = outcome.plan.alsoEnding(tries.discarded)
            outcome.issuer = try await enqueueRest(of: name)
        } catch {
            // The standby key that gave way to the fresh one has gone all the same, and a revocation that was begun goes on.
            if fresh != nil { await enqueueFollowUp(name) }
            throw error
        }
        outcome.clockDoubt = clockDoubt
        logRotation(outcome)
        return outcome
    }

    /// Revokes what the plan revokes, publishes the fresh key it wants, and leaves the rest to `tick()`.
    private func deferRotation(_ decided: RotationOutcome, fresh key: GeneratedKey?) async throws -> RotationOutcome {
        let (plan, issuer) = (decided.plan, decided.issuer)
        let name = issuer.name
        var outcome = decided
        if let key {
            outcome.place = try await commit(
                of: name, with: key, try issuer.deferringAnew(plan, fresh: key, at: clock.wall())
            ).place
        } else if let change = try issuer.deferring(plan, fresh: nil, at: clock.wall()) {
            outcome.place = try await commit(change).place
        }
        outcome.issuer = try await enqueueRest(of: name)
        if key != nil { outcome.publication = await publication(of: outcome.issuer) }
        outcome.executed = outcome.issuer.awaiting(plan, at: clock.wall())
        outcome.clockDoubt = clockDoubt
        logDeferral(outcome)
        return outcome
    }

    private func logRotation(_ outcome: RotationOutcome) {
        log.notice(
            outcome.executed?.cancelsWaiting == true ? "a rotation waits no more" : "rotated the signing keys",
            metadata: [
                "issuer": "\(outcome.issuer.name)", "kid": "\(outcome.issuer.ring.active?.kid ?? "")",
                "generation": "\(outcome.issuer.generation)", "revoked": "\(outcome.plan.revoked.joined(separator: " "))",
            ])
    }

    private func logDeferral(_ outcome: RotationOutcome) {
        let seconds = outcome.executed.flatMap { plan in plan.signsFrom.map { $0 - plan.at } }
        log.notice(
            "a rotation waits until it surprises no relying party",
            metadata: [
                "issuer": "\(outcome.issuer.name)", "kid": "\(outcome.issuer.ring.standby?.kid ?? "")",
                "generation": "\(outcome.issuer.generation)", "seconds": "\(seconds ?? 0)",
                "revoked": "\(outcome.plan.revoked.joined(separator: " "))",
            ])
    }

    /// Rotates by schedule, or because a rotation has waited long enough, if that is still due.
    func rotateByTime(_ name: IssuerName) async {
        let why = issuers[name]?.rotationRequestedAt == nil ? "by schedule" : "after its wait"
        do {
            guard let now = trustedNow(), let issuer = issuers[name], issuer.planningDueRotation(at: now) != nil,
                !isHeld(issuer)
            else { return }
            try await journal.attempt("issuer \(name) is due to be rotated \(why)")
            var tries = RotationTries()
            let outcome = try await rotateInTurn(name, .whatIsDue, dryRun: false, &tries)
            journal.note("issuer \(name) was rotated \(why) to \(outcome.issuer.ring.active?.kid ?? "")")
        } catch let error as StoreError where error.code == .conflict && fleet != nil {
            journal.note("issuer \(name) was rotated by another agent")
        } catch {
            log.warning("a rotation that is due failed", metadata: ["issuer": "\(name)", "reason": "\(error)"])
        }
    }

    /// Whether a rotation that is due has to wait for frontends which do not serve its key yet, after a restart among others.
    private func isHeld(_ issuer: Issuer) -> Bool {
        let isAwaiting = issuer.isServed && feed.isAwaiting(issuer.name.text, generation: issuer.generation)
        switch due.hold(issuer.name, isAwaiting: isAwaiting, at: clock.monotonicSeconds) {
        case .free: return false
        case .goesOn: return true
        case .begins:
            log.notice("a rotation that is due waits for a frontend to serve its key", metadata: ["issuer": "\(issuer.name)"])
            return true
        case .ends:
            log.warning(
                "a rotation that is due goes ahead without a frontend that does not serve its key",
                metadata: ["issuer": "\(issuer.name)", "hint": "see that frontend's log and its /readyz"])
            return false
        }
    }
}

extension Issuer {
    /// As `deferring`, with a key: that is a change in any case.
    fileprivate func deferringAnew(
        _ plan: RotationPlan, fresh key: GeneratedKey, at moment: Timestamp
    ) throws -> IssuerChange {
        guard let change = try deferring(plan, fresh: key, at: moment) else { throw LifecycleError.nothingDue }
        return change
    }
}

extension StoreError {
    /// Why a revocation that has been begun could not be carried out yet. Nothing is left to be done about it.
    fileprivate static func carriedOn(_ error: any Error) -> StoreError {
        let hint = "nothing has to be done: it is carried on once that is possible; see the key's state with: privyseal keys list"
        return StoreError(
            .unavailable, "the revocation has been begun and is not carried out yet: \(error)", hint: hint, cause: error)
    }
}
