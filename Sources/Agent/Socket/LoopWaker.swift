import NIOCore
import Platform

/// Wakes event loops for what is to be written to their connections. Waking one costs as much as a third of a fast signature,
/// so replies that come together share it.
final class LoopWaker: Sendable {
    private struct Due {
        let eventLoop: any EventLoop
        var writes: [@Sendable () -> Void]
    }

    private struct State {
        /// How many threads gather just now.
        var gathering = 0
        /// What there is to be written, until the last of them is done.
        var due: [Due] = []
    }

    private let state = Locked(State())

    /// Has `write` run on the event loop, at once or when what is being gathered has been.
    func wake(_ eventLoop: any EventLoop, _ write: @escaping @Sendable () -> Void) {
        let isNow = state.withLock { state in
            guard state.gathering > 0 else { return true }
            if let place = state.due.firstIndex(where: { $0.eventLoop === eventLoop }) {
                state.due[place].writes.append(write)
            } else {
                state.due.append(Due(eventLoop: eventLoop, writes: [write]))
            }
            return false
        }
        if isNow { eventLoop.execute(write) }
    }

    /// Does something from which many replies come, and wakes each loop once.
    ///
    /// - Parameter work: must not wait for anything, since everybody's replies wait for it.
    func gathering(_ work: () -> Void) {
        state.withLock { $0.gathering += 1 }
        work()
        // What comes while the loops are woken waits its turn behind that: whoever saw a reply handed over may go by it.
        while let due = nextDue() {
            for due in due {
                due.eventLoop.execute { for write in due.writes { write() } }
            }
        }
    }

    /// `nil` when another thread sees to it, or there is nothing; the calling thread gathers no more then.
    private func nextDue() -> [Due]? {
        state.withLock { state in
            guard state.gathering == 1, !state.due.isEmpty else {
                state.gathering -= 1
                return nil
            }
            defer { state.due = [] }
            return state.due
        }
    }
}
