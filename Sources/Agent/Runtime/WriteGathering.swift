import Platform

/// Has connections write their lines, those that one worker adds in one piece of work together: a system call for each line is
/// what that saves. The audit log, which answers for many records at a time, does so within `gathering(_:)`.
final class WriteGathering: Sendable {
    /// A worker that gathers, and the connections that are to write afterwards.
    private struct Gatherer {
        let worker: Worker
        var due: [any Writable] = []
    }

    /// No connection writes with it locked.
    private let gatherers = Locked<[Gatherer]>([])

    /// Has a connection write: at once, or when the calling worker has done what it gathers for. That another worker
    /// gathers makes no difference.
    func write(_ connection: any Writable) {
        let worker = Worker.current
        let isNow = gatherers.withLock { gatherers in
            guard let place = gatherers.firstIndex(where: { $0.worker == worker }) else { return true }
            gatherers[place].due.append(connection)
            return false
        }
        if isNow { connection.write() }
    }

    /// Does work that adds many lines, and has them written when it is done. Not within itself.
    func gathering(_ work: () -> Void) {
        let worker = Worker.current
        gatherers.withLock { $0.append(Gatherer(worker: worker)) }
        work()
        let due = gatherers.withLock { gatherers -> [any Writable] in
            guard let place = gatherers.firstIndex(where: { $0.worker == worker }) else { return [] }
            return gatherers.remove(at: place).due
        }
        for connection in due { connection.write() }
    }
}

/// A connection, to `WriteGathering`.
protocol Writable: AnyObject, Sendable {
    /// Writes the lines that have been added to it. Never waits.
    func write()
}
