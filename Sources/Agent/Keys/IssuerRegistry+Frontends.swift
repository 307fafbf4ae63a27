import AgentProtocol
import IssuerStore
import KeyLifecycle
import Logging

/// How many frontends there are, remembered so that the next start of the agent can wait for them.
extension IssuerRegistry {
    /// From now on, changes wait for the frontends of before the restart.
    func expectFrontends() {
        feed.expect(frontends.count)
    }

    /// Whether the store should be told how many there are now. To be called about once a second.
    func lookForFrontends() -> Bool {
        frontends.look(feed.frontendCount)
    }

    /// What cannot be written is tried again at the next look.
    func noteFrontends() async {
        let count = feed.frontendCount
        do {
            try await store.noteFrontends(count)
            frontends.note(count)
        } catch {
            log.debug("how many frontends there are could not be noted", metadata: ["reason": "\(error)"])
        }
    }

    /// Waits a moment until the frontends serve an issuer as it is, of which something is published no more, or nothing of one that
    /// has been deleted, and says of each whether it does.
    ///
    /// - Returns: `nil` where there are none.
    func withdrawal(of issuer: Issuer) async -> FleetSettlement? {
        let committedAt = clock.monotonic()
        let caching = issuer.cachedUntil(issuer.changedAt) - issuer.changedAt
        let (name, generation, staleAfter) = (issuer.name.text, issuer.generation, FrontendStaleness.ownStore)
        let followers = feed.frontends(of: name, generation: generation, staleAfter: staleAfter)
        var settling = FrontendSettling(
            name, followers: followers, committedAt: committedAt, caching: caching, now: committedAt)
        guard !settling.frontends.isEmpty else { return nil }
        var (waited, pause) = (Duration.zero, Duration.milliseconds(5))
        while true {
            settling.take(feed.frontends(lacking: [name: generation], staleAfter: staleAfter), now: clock.monotonic())
            let settlement = FleetSettlement(frontends: settling.frontends)
            if !settlement.isAwaitingFrontends || waited >= feed.limits.withdrawal { return settlement }
            try? await Task.sleep(for: pause)
            waited += pause
            pause = min(pause * 1.5, .milliseconds(100))
        }
    }
}
