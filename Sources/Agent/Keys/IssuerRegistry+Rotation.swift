import AgentProtocol
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
    var publication: PublicationView?
    /// Why no fresh key could be generated for a revocation that went ahead without.
    var generationFailure: String?
}

extension IssuerRegistry {
    private typealias Decision = @Sendable (_ issuer: Issuer, _ at: Timestamp, _ canGenerate: Bool) throws -> RotationPlan?

    /// Rotates, or with `dryRun` says what a rotation would do.
    ///
    /// - Throws: `LifecycleError`: `.issuerNotFound`, `.conflict`; `HSMError`; `StoreError`.
    func rotate(_ text: String, ifGeneration expected: Int?, dryRun: Bool) async throws -> RotationOutcome {
        let name = try issuer(named: text).name
        return try await queue.run(name) {
            try await self.planningAgain {
                try await self.carryOut(name, dryRun: dryRun, fallsBack: false) { issuer, moment, _ in
                    try issuer.planningRotation(at: moment, ifGeneration: expected)
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

    /// Rotates by schedule, if that is still due.
    func rotateBySchedule(_ name: IssuerName) async {
        do {
            guard let now = trustedNow(), issuers[name]?.planningScheduledRotation(at: now) != nil else { return }
            try await journal.attempt("issuer \(name) is due to be rotated by schedule")
            let outcome = try await carryOut(name, dryRun: false, fallsBack: false) { issuer, moment, _ in
                issuer.planningScheduledRotation(at: moment)
            }
            journal.note("issuer \(name) was rotated by schedule to \(outcome.issuer.ring.active?.kid ?? "")")
        } catch {
            log.warning("a scheduled rotation failed", metadata: ["issuer": "\(name)", "reason": "\(error)"])
        }
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
        guard let wanted = plan.freshKey else { return try await execute(issuer, plan, decide) }
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
        return try await execute(issuer, plan, fresh: key)
    }

    /// Executes a plan that needs no fresh key. It is made once more for the moment at which dates are frozen.
    private func execute(_ issuer: Issuer, _ plan: RotationPlan, _ decide: Decision) async throws -> RotationOutcome {
        let moment = board.freeze(issuer.name.text, clock: clock)
        defer { board.thaw(issuer.name.text) }
        let issuer = accountingForSignatures(issuer)
        guard let current = try decide(issuer, moment, true) else { throw LifecycleError.nothingDue }
        return try await execute(issuer, current, decided: plan, publication: nil)
    }

    /// Publishes the fresh key, gives the frontends time to fetch it, then executes the plan with it.
    private func execute(_ issuer: Issuer, _ plan: RotationPlan, fresh key: GeneratedKey) async throws -> RotationOutcome {
        let name = issuer.name
        try await commit(of: name, with: key, try issuer.publishingFresh(key, for: plan, at: clock.wall()))
        let generation = try self.issuer(named: name.text).generation
        let publication = await feed.awaitPublication(of: name.text, generation: generation)
        let moment = board.freeze(name.text, clock: clock)
        defer { board.thaw(name.text) }
        let published = accountingForSignatures(try self.issuer(named: name.text))
        let current = published.continuing(plan, withPublished: key.kid, at: moment)
        return try await execute(published, current, decided: plan, publication: publication)
    }

    /// Commits, and returns once the last signature by an outgoing key has been made.
    private func execute(
        _ issuer: Issuer, _ plan: RotationPlan, decided: RotationPlan, publication: PublicationView?
    ) async throws -> RotationOutcome {
        let former = try await commit(issuer.executing(plan))
        await former?.use.drained()
        let rotated = try await finish(issuer.name)
        log.notice(
            "rotated the signing keys",
            metadata: [
                "issuer": "\(issuer.name)", "kid": "\(rotated.ring.active?.kid ?? "")", "generation": "\(rotated.generation)",
                "revoked": "\(decided.revoked.joined(separator: " "))",
            ])
        return RotationOutcome(plan: decided, issuer: rotated, executed: plan, publication: publication)
    }
}

extension LifecycleError {
    fileprivate static let nothingDue = LifecycleError(.conflict, "no rotation is due any more", hint: "nothing has to be done")
}
