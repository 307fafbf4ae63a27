import Platform

/// The log's own thread: what may wait for a disk happens here.
final class AuditKeeper: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        /// Called once what has been written is on the disk.
        var untilOnDisk: [@Sendable (AuditError?) -> Void] = []
        /// Callers that wait for what a job of theirs answers.
        var callers: [UInt64: OneAnswer<Void>] = [:]
        /// Counts those callers.
        var lastCaller: UInt64 = 0
        var isClosed = false
        var hasStarted = false
        /// Counts how often the thread has gone round.
        var round: UInt64 = 0
        /// Whether the thread does nothing any more.
        var hasEnded = false
    }

    /// What the thread is to do, and which callers wait for it.
    private let state = Locked(State())
    /// Beats at the end of each round of the thread, without being asked.
    let beats = Heartbeat()
    private let bell = Signal()
    private let hasEnded = Signal()

    /// Seconds between looks at what time has made due.
    private static let interval = 0.25

    var round: UInt64 { state.withLock { $0.round } }

    /// - Parameters:
    ///   - synchronize: brings to the disk what has been written.
    ///   - doWhatIsDue: does what time has made due.
    func start(synchronize: @escaping @Sendable () -> AuditError?, doWhatIsDue: @escaping @Sendable () -> Void) {
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
                let untilOnDisk = state.withLock { state in
                    defer { state.untilOnDisk = [] }
                    return state.untilOnDisk
                }
                if !untilOnDisk.isEmpty {
                    let error = synchronize()
                    for answer in untilOnDisk { answer(error) }
                }
                doWhatIsDue()
                let isLast = state.withLock { state in
                    state.round += 1
                    state.hasEnded = isClosed && state.jobs.isEmpty && state.untilOnDisk.isEmpty
                    return state.hasEnded
                }
                beats.beat()
                if isLast { break }
            }
            hasEnded.send()
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

    /// Does the work on the thread, and returns once that has answered, or is given up.
    ///
    /// - Throws: `AuditError`.
    func performAnswered(_ work: @escaping @Sendable (OneAnswer<Void>) -> Void) async throws {
        var number: UInt64?
        defer { if let number { state.withLock { _ = $0.callers.removeValue(forKey: number) } } }
        try await withCheckedThrowingContinuation { continuation in
            let answer = OneAnswer<Void>(continuation)
            number = state.withLock { state in
                state.lastCaller += 1
                state.callers[state.lastCaller] = answer
                return state.lastCaller
            }
            if !perform({ work(answer) }) { answer.give(.failure(AuditError.logClosed)) }
        }
    }

    /// Tells every caller that waits for an answer that there will be none.
    func giveUpCallers(_ error: AuditError) {
        let callers = state.withLock { Array($0.callers.values) }
        for answer in callers { answer.give(.failure(error)) }
    }

    /// Calls once what has been written by now is on the disk, or with the reason why it is not.
    func whenOnDisk(_ answer: @escaping @Sendable (AuditError?) -> Void) {
        let isTaken = state.withLock { state in
            if !state.hasEnded { state.untilOnDisk.append(answer) }
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
        NamedThread.start("audit log end") { [hasEnded] in
            hasEnded.wait()
            ended()
        }
    }
}
