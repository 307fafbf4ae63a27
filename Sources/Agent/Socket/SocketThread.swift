import Platform

/// Reads from all sockets: on threads that have nothing to sign, which then need not hand over what they read, and on one of
/// its own when none of them has come for a while.
final class SocketThread: Sendable {
    private let poller: Poller
    private let hsm: HSM
    private let beats = Heartbeat()
    private let running = InFlightCounter()

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - guest: whom an event is about; `nil` for one who has gone.
    ///   - serve: called for everybody who has something to do, in their turns, on any thread.
    init(
        _ poller: Poller, _ hsm: HSM, _ turns: ServingTurns,
        guest: @escaping @Sendable (Poller.Event) -> ServingTurns.Guest?,
        serve: @escaping @Sendable (ServingTurns.Guest) -> Void
    ) {
        self.poller = poller
        self.hsm = hsm
        hsm.lend(
            Errand(
                run: { [beats] isOneOnly, patience, begins in
                    let isWoken = turns.visit(
                        isOneOnly: isOneOnly, milliseconds: patience.milliseconds, begins: begins, guest: guest, serve: serve)
                    beats.beat()
                    return isWoken
                },
                recall: poller.wake))
        running.begin()
        NamedThread.start("sockets") { [running] in
            hsm.standIn()
            running.end()
        }
    }

    /// Returns once a thread has come round since the call, and everyone who served a socket then; or when the task is
    /// cancelled.
    func heartbeat() async {
        let before = hsm.errandsUnderWay
        await beats.next { poller.wake() }
        while !Task.isCancelled, !hsm.errandsUnderWay.isDisjoint(with: before) {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Returns once the thread has ended. One that signs may be at the sockets for a moment more.
    func stop() async {
        hsm.endErrand()
        await running.drained()
    }
}

extension Errand.Patience {
    fileprivate var milliseconds: Int? {
        switch self {
        case .none: 0
        case .milliseconds(let some): some
        case .endless: nil
        }
    }
}
