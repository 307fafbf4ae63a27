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
    func gathering(_ work: () -> Void) {
        state.withLock { $0.gathering += 1 }
        work()
        let due = state.withLock { state -> [Due] in
            state.gathering -= 1
            guard state.gathering == 0 else { return [] }
            defer { state.due = [] }
            return state.due
        }
        for due in due {
            due.eventLoop.execute { for write in due.writes { write() } }
        }
    }
}
