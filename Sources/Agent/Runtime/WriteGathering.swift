import Platform

/// Writes to connections. What a worker has for one of them while it gathers is written together: a system call each is what that
/// saves.
final class WriteGathering: Sendable {
    /// A worker that gathers, and where it is to write afterwards.
    private struct Gatherer {
        let worker: Worker
        var due: [any Writable] = []
    }

    private let gatherers = Locked<[Gatherer]>([])

    /// Has a connection write: at once, or, while the calling worker gathers, when that has ended.
    ///
    /// What other workers gather holds up no write of this one.
    func write(_ connection: any Writable) {
        let worker = Worker.current
        let isNow = gatherers.withLock { gatherers in
            guard let place = gatherers.firstIndex(where: { $0.worker == worker }) else { return true }
            gatherers[place].due.append(connection)
            return false
        }
        if isNow { connection.write() }
    }

    /// Does something from which many lines come, and writes them. Not within itself.
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

/// What lines are written to.
protocol Writable: AnyObject, Sendable {
    /// Writes what has been added to it. Never waits.
    func write()
}
