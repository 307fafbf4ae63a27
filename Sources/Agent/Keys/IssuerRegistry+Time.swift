import IssuerStore
import KeyLifecycle
import Logging

extension IssuerRegistry {
    /// Does what time alone makes due: retires keys, ends former URLs, rotates by schedule or after a wait, and tries again
    /// what failed.
    ///
    /// Called about once a second. Waits for nothing: what is due is queued with the issuer's other changes.
    func tick() async {
        await lookAfterNeglected()
        if let clock = trustedNow() {
            for issuer in allIssuers where !due.isQueued(issuer.name) && standing.quarantine(of: issuer.name) == nil {
                let now = clock + Int(-lateness(of: issuer.name))
                let expires = issuer.expiring(at: now) != nil
                guard expires || issuer.planningDueRotation(at: now) != nil else { continue }
                due.queue(issuer.name)
                await queue.enqueue(issuer.name) { await self.expireAndRotate(issuer.name) }
            }
        }
        // A disk that does not answer must not keep time from going on.
        begin(.store)
        if isTokenCheckDue { begin(.token) }
        if standing.isChecked, hsmStatus.trouble == nil, standing.agents.own != nil { begin(.otherAgents) }
        if !isUnderWay(.frontends), lookForFrontends() { begin(.frontends) }
        // While the token is out of use each try would only be one more line in the log.
        guard hsmStatus.trouble == nil else { return }
        for name in retries.takeDue(at: clock.monotonicSeconds, tokenGeneration: custody.tokenGeneration) {
            await enqueueFollowUp(name)
        }
    }

    private func expireAndRotate(_ name: IssuerName) async {
        await expire(name)
        await rotateByTime(name)
        due.end(name)
    }

    /// The wall clock, when it may be acted on: both clocks are read anew, since the wall clock may have jumped just now.
    func trustedNow() -> Timestamp? {
        let before = clockGuard.doubt
        let now = clock.wall()
        clockGuard.observe(wall: now, monotonic: clock.monotonicSeconds)
        if clockGuard.doubt != before { logClock() }
        return clockDoubt == nil ? now : nil
    }

    /// Why the wall clock may not be acted on, if it may not.
    var clockDoubt: ClockGuard.Doubt? {
        clockGuard.doubt
            ?? shared.clockDifferences.min { $0.key < $1.key }.map { .differs(from: $0.key, seconds: $0.value) }
    }

    /// Ends the overlaps of an issuer that are over. What fails is tried again by `tick()`.
    func expire(_ name: IssuerName) async {
        guard standing.quarantine(of: name) == nil, let now = trustedNow(), let change = issuers[name]?.expiring(at: now) else {
            return
        }
        do {
            try await commit(change)
            log.notice(
                "an overlap is over",
                metadata: ["issuer": "\(name)", "retired": "\(change.destroyed.map(\.kid).joined(separator: " "))"])
            if !change.destroyed.isEmpty {
                journal.note("the overlap of issuer \(name) is over for \(change.destroyed.map(\.kid).joined(separator: ", "))")
            }
            _ = try await enqueueRest(of: name)
        } catch let error as StoreError where error.code == .conflict && fleet != nil {
            log.debug("another agent was faster to end an overlap", metadata: ["issuer": "\(name)"])
        } catch {
            log.warning("an overlap could not be ended", metadata: ["issuer": "\(name)", "reason": "\(error)"])
        }
    }

    /// Takes the wall clock as right.
    func acceptClock() {
        clockGuard.accept(wall: clock.wall(), monotonic: clock.monotonicSeconds)
        logClock()
    }

    private func logClock() {
        if let doubt = clockGuard.doubt {
            log.error(
                "the wall clock is suspect: keys are not retired by time until it agrees again", metadata: ["clock": "\(doubt)"])
        } else {
            log.notice("the wall clock is trusted")
        }
    }

    /// As `drain()`, for an agent that ends: its end waits for all there is. Looks that change nothing are not waited for; a
    /// disk may never answer one.
    ///
    /// - Parameter patience: after which keys that are still to be destroyed are left to the next start, which finds them in the
    ///   store: there may be hundreds.
    func end(destroyingFor patience: Duration) async {
        queue.awaitEverything()
        let limit = Task {
            try await Task.sleep(for: patience)
            leaveDestructions()
        }
        await ending(of: .token)
        await queue.drain()
        limit.cancel()
    }

    private func leaveDestructions() {
        obligations.leaveDestructions()
        custody.leaveDestructions()
        guard !obligations.destructions.isEmpty else { return }
        log.notice("keys are left to be destroyed after the next start", metadata: ["keys": "\(obligations.destructions.count)"])
    }

    /// Returns once nothing is under way.
    func drain() async {
        for look in [Look.store, .otherAgents, .token] { await ending(of: look) }
        await queue.drain()
    }
}
