import IssuerStore
import KeyLifecycle
import Logging

/// What came of a rotation or a revocation.
struct RotationOutcome: Sendable {
    /// As it was decided, before a fresh key had a kid.
    let plan: RotationPlan
    /// The issuer afterwards; as it is, for a dry run.
    let issuer: Issuer
    /// As it was executed; `nil` for a dry run.
    var executed: RotationPlan?
    /// How a fresh key was made known; `nil` when there was none.
    var publication: PublicationOutcome?
    /// Why no fresh key could be generated for a revocation that went ahead without.
    var generationFailure: String?
}

extension IssuerRegistry {
    private typealias Decision = @Sendable (_ issuer: Issuer, _ at: Timestamp, _ canGenerate: Bool) throws -> RotationPlan?

    /// Rotates, or with `dryRun` says what a rotation would do.
    ///
    /// - Parameters:
    ///   - whenSafe: has the incoming key sign once no relying party can be surprised by it; `tick()` sees to that.
    ///   - revokes: false refuses inside an overlap.
    /// - Throws: `LifecycleError`: `.issuerNotFound`, `.conflict`, `.wouldRevoke`; `HSMError`; `StoreError`.
    func rotate(
        _ text: String, ifGeneration expected: Int?, dryRun: Bool, whenSafe: Bool = false, revokes: Bool = true
    ) async throws -> RotationOutcome {
        try await change(text, dryRun: dryRun) { issuer, moment, isTrusted in
            // A clock that may be wrong must not say that the time has come.
            try issuer.planningRotation(
                at: moment, ifGeneration: expected, whenSafe: whenSafe, knownBy: isTrusted ? nil : issuer.changedAt,
                revokes: revokes)
        }
    }

    /// Has a rotation wait no more, or with `dryRun` says what that would do.
    ///
    /// - Throws: `LifecycleError`: `.issuerNotFound`, `.conflict`; `StoreError`.
    func cancelRotation(_ text: String, ifGeneration expected: Int?, dryRun: Bool) async throws -> RotationOutcome {
        try await change(text, dryRun: dryRun) { issuer, moment, _ in
            try issuer.planningCancellation(at: moment, ifGeneration: expected)
        }
    }

    private func change(
        _ text: String, dryRun: Bool, _ decide: @escaping @Sendable (Issuer, Timestamp, _ isTrusted: Bool) throws -> RotationPlan
    ) async throws -> RotationOutcome {
        let name = try issuer(named: text).name
        return try await queue.run(name) {
            try await self.planningAgain {
                let isTrusted = await self.trustedNow() != nil
                return try await self.carryOut(name, dryRun: dryRun, fallsBack: false) { issuer, moment, _ in
                    try decide(issuer, moment, isTrusted)
                }
            }
        }
    }

    /// Revokes a key, or with `dryRun` says what that would do.
    ///
    /// - Throws: `LifecycleError`: `.keyNotFound`, `.conflict`, `.noKeyLeft`; `StoreError`.
    func revoke(_ kid: String, ifGeneration expected: Int?, dryRun: Bool) async throws -> RotationOutcome {
        let name = try issuer(publishing: kid).name
        return try await queue.run(name) {
            try await self.planningAgain {
                try await self.carryOut(name, dryRun: dryRun, fallsBack: true) { issuer, moment, canGenerate in
                    try issuer.planningRevocation(of: kid, at: moment, ifGeneration: expected, canGenerate: canGenerate)
                }
            }
        }
    }

    /// Rotates by schedule, or because a rotation has waited long enough, if that is still due.
    func rotateByTime(_ name: IssuerName) async {
        let why = issuers[name]?.rotationRequestedAt == nil ? "by schedule" : "after its wait"
        do {
            guard let now = trustedNow(), let issuer = issuers[name], issuer.planningDueRotation(at: now) != nil,
                !isHeld(issuer)
            else { return }
            try await journal.attempt("issuer \(name) is due to be rotated \(why)")
            let outcome = try await carryOut(name, dryRun: false, fallsBack: false) { issuer, moment, _ in
                issuer.planningDueRotation(at: moment)
            }
            journal.note("issuer \(name) was rotated \(why) to \(outcome.issuer.ring.active?.kid ?? "")")
        } catch {
            log.warning("a rotation that is due failed", metadata: ["issuer": "\(name)", "reason": "\(error)"])
        }
    }

    /// How long a rotation that is due waits for a frontend that does not serve its key: ten minutes.
    private static let longestHold: Int64 = 600

    /// Whether a rotation that is due has to wait for frontends which do not serve its key yet, after a restart among others.
    private func isHeld(_ issuer: Issuer) -> Bool {
        guard issuer.isServed, feed.isAwaiting(issuer.name.text, generation: issuer.generation) else {
            heldRotations[issuer.name] = nil
            return false
        }
        let since = heldRotations[issuer.name] ?? clock.monotonicSeconds
        if heldRotations.updateValue(since, forKey: issuer.name) == nil {
            log.notice("a rotation that is due waits for a frontend to serve its key", metadata: ["issuer": "\(issuer.name)"])
        }
        guard clock.monotonicSeconds - since >= Self.longestHold else { return true }
        heldRotations[issuer.name] = nil
        log.warning(
            "a rotation that is due goes ahead without a frontend that does not serve its key",
            metadata: ["issuer": "\(issuer.name)", "hint": "see that frontend's log and its /readyz"])
        return false
    }

    private func carryOut(
        _ name: IssuerName, dryRun: Bool, fallsBack: Bool, _ decide: @escaping Decision
    ) async throws -> RotationOutcome {
        // A key whose time is over must not make this a second rotation, just because nobody had looked at the clock.
        try requireServing(name)
        if !dryRun { await expire(name) }
        let committed = try issuer(named: name.text)
        let issuer = trustedNow().flatMap { committed.expiring(at: $0)?.issuer } ?? committed
        guard let plan = try decide(dryRun ? issuer : committed, clock.wall(), true) else { throw LifecycleError.nothingDue }
        if dryRun { return RotationOutcome(plan: plan, issuer: issuer) }
        guard let wanted = plan.freshKey else {
            return plan.signsFrom == nil ? try await execute(issuer, plan, decide) : try await wait(issuer, plan, for: nil)
        }
        let key: GeneratedKey
        do {
            key = try await generateKey(for: name, wanted)
        } catch let error as HSMError where fallsBack {
            log.error("no fresh key for a revocation", metadata: ["issuer": "\(name)", "reason": "\(error)"])
            let substitute: Decision = { issuer, moment, _ in try decide(issuer, moment, false) }
            guard let plan = try substitute(issuer, clock.wall(), false) else { throw LifecycleError.nothingDue }
            var outcome = try await execute(issuer, plan, substitute)
            outcome.generationFailure = "\(error)"
            return outcome
        }
        if plan.signsFrom != nil { return try await wait(issuer, plan, for: key) }
        return try await execute(issuer, plan, fresh: key)
    }

    /// Revokes what the plan revokes, publishes the fresh key it wants, and leaves the rest to `tick()`.
    private func wait(_ issuer: Issuer, _ plan: RotationPlan, for key: GeneratedKey?) async throws -> RotationOutcome {
        let name = issuer.name
        if let key {
            try await commit(of: name, with: key, try issuer.deferringAnew(plan, fresh: key, at: clock.wall()))
        } else if let change = try issuer.deferring(plan, fresh: nil, at: clock.wall()) {
            try await commit(change)
        }
        let waiting = try await finish(name)
        let publication = key == nil ? nil : await publication(of: waiting)
        let executed = waiting.awaiting(plan, at: clock.wall())
        log.notice(
            "a rotation waits until it surprises no relying party",
            metadata: [
                "issuer": "\(name)", "kid": "\(waiting.ring.standby?.kid ?? "")", "generation": "\(waiting.generation)",
                "seconds": "\(executed.signsFrom.map { $0 - executed.at } ?? 0)",
                "revoked": "\(plan.revoked.joined(separator: " "))",
            ])
        return RotationOutcome(plan: plan, issuer: waiting, executed: executed, publication: publication)
    }

    /// Waits until the frontends serve the issuer as it is now, where there is anything to be served.
    private func publication(of issuer: Issuer) async -> PublicationOutcome {
        guard issuer.isServed else { return .unserved }
        return await feed.awaitPublication(of: issuer.name.text, generation: issuer.generation)
    }

    /// Executes a plan that needs no fresh key. It is made once more for the moment at which dates are frozen.
    private func execute(_ issuer: Issuer, _ plan: RotationPlan, _ decide: Decision) async throws -> RotationOutcome {
        // A standby key that is as young as a fresh one is published like one.
        let isYoung = plan.incoming != nil && plan.exposure > 0
        let publication = isYoung ? await publication(of: issuer) : nil
        let moment = board.freeze(issuer.name.text, clock: clock)
        defer { board.thaw(issuer.name.text) }
        let issuer = accountingForSignatures(issuer)
        guard let current = try decide(issuer, moment, true) else { throw LifecycleError.nothingDue }
        return try await execute(
            issuer, current, decided: plan, publication: publication?.isTimedOut == true ? publication : nil)
    }

    /// Publishes the fresh key, gives the frontends time to fetch it, then executes the plan with it.
    private func execute(_ issuer: Issuer, _ plan: RotationPlan, fresh key: GeneratedKey) async throws -> RotationOutcome {
        let name = issuer.name
        try await commit(of: name, with: key, try issuer.publishingFresh(key, for: plan, at: clock.wall()))
        let publication = await publication(of: try self.issuer(named: name.text))
        let moment = board.freeze(name.text, clock: clock)
        defer { board.thaw(name.text) }
        do {
            let published = accountingForSignatures(try self.issuer(named: name.text))
            let current = published.continuing(plan, withPublished: key.kid, at: moment)
            return try await execute(published, current, decided: plan, publication: publication)
        } catch {
            // The standby key that gave way to the fresh one has gone all the same.
            await enqueueFollowUp(name)
            throw error
        }
    }

    /// Commits, and returns once the last signature by an outgoing key has been made.
    private func execute(
        _ issuer: Issuer, _ plan: RotationPlan, decided: RotationPlan, publication: PublicationOutcome?
    ) async throws -> RotationOutcome {
        let former = try await commit(issuer.executing(plan))
        await former?.use.drained()
        let rotated = try await finish(issuer.name)
        log.notice(
            plan.cancelsWaiting ? "a rotation waits no more" : "rotated the signing keys",
            metadata: [
                "issuer": "\(issuer.name)", "kid": "\(rotated.ring.active?.kid ?? "")", "generation": "\(rotated.generation)",
                "revoked": "\(decided.revoked.joined(separator: " "))",
            ])
        return RotationOutcome(plan: decided, issuer: rotated, executed: plan, publication: publication)
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

extension LifecycleError {
    fileprivate static let nothingDue = LifecycleError(.conflict, "no rotation is due any more", hint: "nothing has to be done")
}
