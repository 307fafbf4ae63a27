import IssuerStore
import KeyLifecycle
import Logging

extension IssuerRegistry {
    /// Does what time alone makes due: retires keys, ends former URLs, rotates by schedule or after a wait, and tries again
    /// what failed.
    ///
    /// Called about once a second. Waits for nothing: what is due is queued with the issuer's other changes.
    func tick() async {
        if let now = trustedNow() {
            for issuer in allIssuers where !due.contains(issuer.name) && quarantined(issuer.name) == nil {
                let expires = issuer.expiring(at: now) != nil
                guard expires || issuer.planningDueRotation(at: now) != nil else { continue }
                let name = issuer.name
                due.insert(name)
                await queue.enqueue(name) { await self.carryOutDue(name) }
            }
        }
        // A disk that does not answer must not keep time from going on.
        if storeCheck == nil {
            storeCheck = Task {
                await lookAfterStore()
                storeCheck = nil
            }
        }
        if isTokenCheckDue {
            tokenCheck = Task {
                await checkToken()
                tokenCheck = nil
            }
        }
        if agentCheck == nil, isTokenChecked, hsmStatus.trouble == nil, soleUse.own != nil {
            agentCheck = Task {
                await lookForOtherAgents()
                agentCheck = nil
            }
        }
        if frontendNote == nil, frontendsToNote() != nil {
            frontendNote = Task {
                await noteFrontends()
                frontendNote = nil
            }
        }
        let tokenGeneration = custody.tokenGeneration
        // While the token is out of use each try would only be one more line in the log.
        for (name, work) in unfinished
        where hsmStatus.trouble == nil && work.isDue(at: clock.monotonicSeconds, tokenGeneration: tokenGeneration) {
            unfinished[name]?.retryAt = .max
            unfinished[name]?.tokenGeneration = tokenGeneration
            await enqueueFollowUp(name)
        }
    }

    private func carryOutDue(_ name: IssuerName) async {
        await expire(name)
        await rotateByTime(name)
        due.remove(name)
    }

    /// The wall clock, when it may be acted on: both clocks are read anew, since the wall clock may have jumped just now.
    func trustedNow() -> Timestamp? {
        let before = clockGuard.doubt
        let now = clock.wall()
        clockGuard.observe(wall: now, monotonic: clock.monotonicSeconds)
        if clockGuard.doubt != before { logClock() }
        return clockGuard.isTrusted ? now : nil
    }

    /// Ends the overlaps of an issuer that are over. What fails is tried again by `tick()`.
    func expire(_ name: IssuerName) async {
        guard quarantined(name) == nil, let now = trustedNow(), let change = issuers[name]?.expiring(at: now) else {
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
            _ = try await finish(name)
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

    /// As `drain()`, for an agent that ends: somebody waits for all there is. Looks that change nothing are not waited for; a
    /// disk may never answer one.
    ///
    /// - Parameter patience: after which keys that are still to be destroyed are left to the next start, which finds them in the
    ///   store: there may be hundreds.
    func finish(destroyingFor patience: Duration) async {
        queue.awaitEverything()
        let limit = Task {
            try await Task.sleep(for: patience)
            leaveDestructions()
        }
        await tokenCheck?.value
        await queue.drain()
        limit.cancel()
    }

    private func leaveDestructions() {
        isLeavingDestructions = true
        custody.leaveDestructions()
        guard !destructions.isEmpty else { return }
        log.notice("keys are left to be destroyed after the next start", metadata: ["keys": "\(destructions.count)"])
    }

    /// Returns once nothing is under way.
    func drain() async {
        await storeCheck?.value
        await agentCheck?.value
        await tokenCheck?.value
        await queue.drain()
    }
}

extension IssuerRegistry.Unfinished {
    fileprivate func isDue(at now: Int64, tokenGeneration: Int) -> Bool {
        retryAt <= now || self.tokenGeneration != tokenGeneration
    }
}
