import Glibc
import Platform

/// Writes to connections, and what one thread has for one of them at once together: a system call each is what that saves.
final class WriteGathering: Sendable {
    /// A thread that gathers, and where it is to write afterwards.
    private struct Gatherer {
        let thread: pthread_t
        var due: [any Writable] = []
    }

    private let gatherers = Locked<[Gatherer]>([])

    /// Has a connection write: at once, or when the calling thread has done what it gathers.
    ///
    /// What other threads gather holds nobody up.
    func write(_ connection: any Writable) {
        let thread = pthread_self()
        let isNow = gatherers.withLock { gatherers in
            guard let place = gatherers.firstIndex(where: { $0.thread == thread }) else { return true }
            gatherers[place].due.append(connection)
            return false
        }
        if isNow { connection.write() }
    }

    /// Does something from which many lines come, and writes them. Not within itself.
    func gathering(_ work: () -> Void) {
        let thread = pthread_self()
        gatherers.withLock { $0.append(Gatherer(thread: thread)) }
        work()
        let due = gatherers.withLock { gatherers -> [any Writable] in
            guard let place = gatherers.firstIndex(where: { $0.thread == thread }) else { return [] }
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
