import Platform

/// Reads from all sockets: on workers that have nothing to sign, which then need not hand over what they read, and on a thread of
/// its own, the backup poller, when none of them has come for a while.
final class SocketThread: Sendable {
    private let poller: Poller
    private let workers: any IdleWorkers
    private let beats = Heartbeat()
    private let running = InFlightCounter()

    /// Has the workers poll the sockets, and starts the thread.
    ///
    /// - Parameters:
    ///   - guest: which one an event is about; `nil` for one that has gone.
    ///   - serve: called for each that has something to do, in their turns, on any thread.
    init(
        _ poller: Poller, _ workers: any IdleWorkers, _ turns: ServingTurns,
        guest: @escaping @Sendable (Poller.Event) -> ServingTurns.Guest?,
        serve: @escaping @Sendable (ServingTurns.Guest) -> Void
    ) {
        self.poller = poller
        self.workers = workers
        workers.install(
            PollSource(
                poll: { [beats] isOneOnly, patience, begins in
                    let isWoken = turns.visit(
                        isOneOnly: isOneOnly, milliseconds: patience.milliseconds, begins: begins, guest: guest, serve: serve)
                    beats.beat()
                    return isWoken
                },
                wakeup: poller.wake))
        running.begin()
        NamedThread.start("sockets") { [running] in
            workers.backUp()
            running.end()
        }
    }

    /// Returns once a thread has polled since the call, and all have come back that served a socket then; or when the task is
    /// cancelled.
    func heartbeat() async {
        let before = workers.pollsUnderWay
        await beats.next { poller.wake() }
        while !Task.isCancelled, !workers.pollsUnderWay.isDisjoint(with: before) {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Returns once the thread has ended. A worker may be at the sockets for a moment more.
    func stop() async {
        workers.endPolling()
        await running.drained()
    }
}

extension PollSource.Patience {
    fileprivate var milliseconds: Int? {
        switch self {
        case .none: 0
        case .milliseconds(let some): some
        case .endless: nil
        }
    }
}
