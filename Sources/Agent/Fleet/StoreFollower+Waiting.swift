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
    func settle(_ issuer: String, revision: Int64, committedAt: Int64, limit: Duration?) async -> FleetSettlement {
        var settling = Settling(issuer: issuer, revision: revision, own: member.incarnation, committedAt: committedAt)
        let end = limit.map { clock.monotonic() + $0.nanoseconds }
        var pause = Duration.milliseconds(15)
        while true {
            if let reading = await readRoster() {
                settling.take(reading, now: clock.monotonic())
            } else {
                settling.look(at: clock.monotonic())
            }
            let settlement = settling.settlement
            if settlement.isSettled { return settlement }
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
