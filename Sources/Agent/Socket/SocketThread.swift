import Platform

/// Reads from all sockets: on threads that have nothing to sign, which then need not hand over what they read, and on one of
/// its own when none of them has come for a while.
final class SocketThread: Sendable {
    private let poller: Poller
    private let hsm: HSM
    private let rounds = Rounds()
    private let running = UseCount()

    /// Starts the thread; `serve` is called for everything that sockets are ready for, on any thread.
    ///
    /// - Parameter afterwards: called after such things, on the same thread.
    init(
        _ poller: Poller, _ hsm: HSM, serve: @escaping @Sendable (Poller.Event) -> Void,
        afterwards: @escaping @Sendable () -> Void
    ) {
        self.poller = poller
        self.hsm = hsm
        hsm.lend(
            Errand(
                run: { [rounds] isOneOnly, patience, begins in
                    let isWoken = poller.next(
                        isOneOnly ? 1 : Poller.most, milliseconds: patience.milliseconds, begins: begins, serve)
                    afterwards()
                    rounds.complete()
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
    func goneOn() async {
        let before = hsm.errandsUnderWay
        await rounds.next { poller.wake() }
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
