import AgentProtocol
import IssuerStore
import Platform

/// What this agent waits for of the others.
extension StoreFollower {
    /// Waits until a change counts for every agent that took part when it was committed, or cannot be gone by the past any more.
    ///
    /// - Parameters:
    ///   - revision: of the commit, which has been made.
    ///   - committedAt: when that was known, in nanoseconds of the monotonic clock.
    ///   - limit: after which what is still open is told as such; `nil` waits for all.
    ///   - withdrawing: the issuer's generation with which something is published no more: then it is also said how the frontends came
    ///     to serve that, which is waited for as long as a withdrawal may take.
    func settle(
        _ issuer: String, revision: Int64, committedAt: Int64, limit: Duration?, withdrawing generation: Int? = nil
    ) async -> FleetSettlement {
        var settling = Settling(
            issuer: issuer, revision: revision, own: member.incarnation, committedAt: committedAt,
            isTellingFrontends: generation != nil)
        var own = generation.map { generation in
            FrontendSettling(
                issuer,
                followers: progress.feed.frontends(
                    of: issuer, generation: generation, staleAfter: FrontendStaleness.sharedStore),
                committedAt: committedAt, now: clock.monotonic())
        }
        let end = limit.map { clock.monotonic() + $0.nanoseconds }
        let withdrawal = committedAt + progress.feed.limits.withdrawal.nanoseconds
        var pause = Duration.milliseconds(15)
        while true {
            if let reading = await readRoster() {
                settling.take(reading, now: clock.monotonic())
            } else {
                settling.look(at: clock.monotonic())
            }
            if let generation {
                let frontends = progress.feed.frontends(
                    lacking: [issuer: generation], staleAfter: FrontendStaleness.sharedStore)
                own?.take(frontends, now: clock.monotonic())
            }
            var settlement = settling.settlement
            settlement.frontends = own?.frontends ?? []
            if settlement.isSettled, !settlement.isAwaitingFrontends || clock.monotonic() >= withdrawal { return settlement }
            if let end, clock.monotonic() >= end { return settlement }
            // Also who takes part must be known in the end.
            if settlement.failure != nil, clock.monotonic() - committedAt > Int64(member.staleness) * 1_000_000_000 {
                return settlement
            }
            if isEnding { return settlement }
            try? await Task.sleep(for: pause)
            pause = min(pause * 1.5, .milliseconds(250))
        }
    }

    /// Waits until every agent that is there can use a published key and its frontends serve it, as long as a publication may take.
    func awaitReadiness(_ issuer: String, kid: String, revision: Int64) async -> FleetReadiness? {
        let end = clock.monotonic() + limits.readiness.nanoseconds
        var readiness: FleetReadiness?
        while true {
            if let reading = await readRoster() {
                readiness = FleetReadiness(reading, issuer: issuer, kid: kid, revision: revision, own: member.incarnation)
                if readiness?.lacking.isEmpty == true { return readiness }
            }
            guard clock.monotonic() < end, !isEnding else { return readiness }
            try? await Task.sleep(for: .milliseconds(15))
        }
    }
}
