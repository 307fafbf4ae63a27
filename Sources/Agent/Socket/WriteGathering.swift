import Platform

/// Writes to connections, and what comes at once for one of them together: a system call each is what that saves.
final class WriteGathering: Sendable {
    private struct State {
        /// How many threads gather just now.
        var gathering = 0
        /// Connections with something to be written, until the last of them is done.
        var due: [any Writable] = []
    }

    private let state = Locked(State())

    /// Has a connection write, at once or when what is being gathered has been.
    func write(_ connection: any Writable) {
        let isNow = state.withLock { state in
            guard state.gathering > 0 else { return true }
            state.due.append(connection)
            return false
        }
        if isNow { connection.write() }
    }

    /// Does something from which many lines come, and writes them.
    ///
    /// - Parameter work: must not wait for anything, since everybody's lines wait for it.
    func gathering(_ work: () -> Void) {
        state.withLock { $0.gathering += 1 }
        work()
        // What comes meanwhile waits its turn behind that: whoever saw a line handed over may go by it.
        while let due = nextDue() {
            for connection in due { connection.write() }
        }
    }

    /// `nil` when another thread sees to it, or there is nothing; the calling thread gathers no more then.
    private func nextDue() -> [any Writable]? {
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

/// What lines are written to.
protocol Writable: AnyObject, Sendable {
    /// Writes what has been added to it. Never waits.
    func write()
}
