import KeyLifecycle
import Logging

extension IssuerRegistry {
    /// Does what time alone makes due: retires keys, ends former URLs, rotates by schedule, and tries again what failed.
    ///
    /// Called about once a second. Waits for nothing: what is due is queued with the issuer's other changes.
    func tick() async {
        let before = clockGuard.doubt
        clockGuard.observe(wall: clock.wall(), monotonic: clock.monotonicSeconds)
        if clockGuard.doubt != before { logClock() }
        let now = clock.wall()
        for issuer in allIssuers where clockGuard.isTrusted {
            let name = issuer.name
            if issuer.expiring(at: now) != nil { await queue.enqueue(name) { await self.expire(name) } }
            if issuer.planningScheduledRotation(at: now) != nil {
                await queue.enqueue(name) { await self.rotateBySchedule(name) }
            }
        }
        for (name, work) in unfinished where work.retryAt <= clock.monotonicSeconds {
            unfinished[name] = Unfinished(message: work.message, retryAt: .max)
            await queue.enqueue(name) { await self.followUp(name) }
        }
    }

    /// Ends the overlaps of an issuer that are over. What fails is tried again by `tick()`.
    func expire(_ name: IssuerName) async {
        guard clockGuard.isTrusted, let change = issuers[name]?.expiring(at: clock.wall()) else { return }
        do {
            try await commit(change)
            log.notice(
                "an overlap is over",
                metadata: ["issuer": "\(name)", "retired": "\(change.destroyed.map(\.kid).joined(separator: " "))"])
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

    /// Returns once nothing is under way.
    func drain() async {
        await queue.drain()
    }
}
