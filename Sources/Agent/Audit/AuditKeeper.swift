import Platform

/// The log's own thread: what may wait for a disk happens here.
final class AuditKeeper: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        /// Who waits until what has been written is on the disk.
        var waiting: [@Sendable (AuditError?) -> Void] = []
        var isClosed = false
        var hasStarted = false
        /// Counts how often the thread has gone round.
        var round: UInt64 = 0
        /// Whether the thread does nothing any more.
        var hasEnded = false
    }

    private let state = Locked(State())
    /// Heartbeat of the thread, none of which anybody has to ask for.
    let beats = Heartbeat()
    private let bell = Signal()
    private let end = Signal()

    /// Seconds between looks at what time has made due.
    private static let interval = 0.25

    var round: UInt64 { state.withLock { $0.round } }

    /// - Parameters:
    ///   - synchronize: brings to the disk what has been written.
    ///   - look: does what time has made due.
    func start(synchronize: @escaping @Sendable () -> AuditError?, look: @escaping @Sendable () -> Void) {
        state.withLock { $0.hasStarted = true }
        NamedThread.start("audit log") { [self] in
            while true {
                _ = bell.wait(seconds: Self.interval)
                let (jobs, isClosed) = state.withLock { state in
                    defer { state.jobs = [] }
                    return (state.jobs, state.isClosed)
                }
                for job in jobs { job() }
                // After the jobs, so that their records share one fsync.
                let waiting = state.withLock { state in
                    defer { state.waiting = [] }
                    return state.waiting
                }
                if !waiting.isEmpty {
                    let error = synchronize()
                    for answer in waiting { answer(error) }
                }
                look()
                let hasEnded = state.withLock { state in
                    state.round += 1
                    state.hasEnded = isClosed && state.jobs.isEmpty && state.waiting.isEmpty
                    return state.hasEnded
                }
                beats.beat()
                if hasEnded { break }
            }
            end.send()
        }
    }

    /// Does the work on the thread; returns false when it has been closed.
    func perform(_ work: @escaping @Sendable () -> Void) -> Bool {
        let isTaken = state.withLock { state in
            if !state.isClosed { state.jobs.append(work) }
            return !state.isClosed
        }
        bell.send()
        return isTaken
    }

    /// Calls once what has been written by now is on the disk, or with the reason why it is not.
    func whenOnDisk(_ answer: @escaping @Sendable (AuditError?) -> Void) {
        let isTaken = state.withLock { state in
            if !state.hasEnded { state.waiting.append(answer) }
            return !state.hasEnded
        }
        guard isTaken else { return answer(.logClosed) }
        bell.send()
    }

    /// Takes no more work, and calls once what there was has been done.
    func close(_ ended: @escaping @Sendable () -> Void) {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed || !state.hasStarted
        }
        guard !wasClosed else { return ended() }
        bell.send()
        NamedThread.start("audit log end") { [end] in
            end.wait()
            ended()
        }
    }
}
