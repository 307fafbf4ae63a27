import Platform

/// The signs of life a service manager with a watchdog wants to see (`WatchdogSec=` of systemd.service(5)).
struct SignsOfLife: Sendable {
    let notification: ServiceNotification
    /// The time without a sign after which the manager ends the process; none are sent without it.
    let limit: Duration?
    /// Returns once the daemon has gone on since it was called.
    let alive: @Sendable () async throws -> Void

    /// Sends a sign twice in the limit, each only after the daemon has shown that it goes on. Returns when cancelled.
    func send() async {
        guard let limit else { return await cancellation() }
        while !Task.isCancelled {
            let next = ContinuousClock.now + limit / 2
            // What cannot say that it goes on is not said to: the manager draws the conclusion.
            if (try? await alive()) != nil, !Task.isCancelled { notification.keepAlive() }
            try? await Task.sleep(until: next, clock: .continuous)
        }
    }

    private func cancellation() async {
        let (never, continuation) = AsyncStream.makeStream(of: Never.self)
        for await _ in never {}
        continuation.finish()
    }
}
