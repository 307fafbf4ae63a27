import Foundation
import Platform

/// Reads from all sockets: on threads that have nothing to sign, which then need not hand over what they read, and on one of
/// its own while there are none.
final class SocketThread: Sendable {
    private let poller: Poller
    private let hsm: HSM
    private let rounds = Rounds()
    private let running = UseCount()

    /// Starts the thread; `serve` is called for everything that sockets are ready for, on one thread at a time.
    init(_ poller: Poller, _ hsm: HSM, serve: @escaping @Sendable (Poller.Event) -> Void) {
        self.poller = poller
        self.hsm = hsm
        hsm.lend(
            Errand(
                run: { [rounds] in
                    poller.next(serve)
                    rounds.complete()
                },
                recall: poller.wake))
        running.begin()
        let thread = Thread { [running] in
            hsm.standIn()
            running.end()
        }
        thread.name = "privyseal-socket"
        thread.start()
    }

    /// Returns once a thread has come round since the call, or when the task is cancelled.
    func goneOn() async {
        await rounds.next { poller.wake() }
    }

    /// Returns once the thread has ended.
    func stop() async {
        hsm.endErrand()
        await running.drained()
    }
}
