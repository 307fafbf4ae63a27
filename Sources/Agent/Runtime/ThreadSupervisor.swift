import Platform

/// Starts threads that call the module, has them watched, and starts others in place of those whose calls do not return.
final class ThreadSupervisor: Sendable {
    /// A thread that has been given up, since its call did not return in its time.
    struct GivenUp: Sendable {
        let name: String
        /// Whether another takes its place.
        let isReplaced: Bool
        /// Threads whose calls have not returned, this one included.
        let stuckCalls: Int
    }

    private let calls: CallWatch
    private let clock: AgentClock
    /// Seconds a call may take unless it says otherwise.
    private let limitSeconds: Double
    /// The threads that are running and have not been given up.
    private let threads = InFlightCounter()
    /// Whether no thread is replaced any more.
    private let isEnding = Locked(false)
    private let withdrawn: @Sendable (WatchedThread) -> Void
    private let givenUp: @Sendable (GivenUp) -> Void

    /// - Parameters:
    ///   - withdrawn: called on the watch's thread, when what a thread worked for has been answered, before another is started in
    ///     its place.
    ///   - givenUp: called after that, since it may wait for whoever reads the log.
    init(
        clock: AgentClock, limitSeconds: Double, withdrawn: @escaping @Sendable (WatchedThread) -> Void,
        givenUp: @escaping @Sendable (GivenUp) -> Void
    ) {
        calls = CallWatch(clock: clock)
        self.clock = clock
        self.limitSeconds = limitSeconds
        self.withdrawn = withdrawn
        self.givenUp = givenUp
    }

    /// Starts a thread whose calls are watched.
    ///
    /// - Parameter successor: what a thread of the same name does in place of this one, and of the next, should it be given up;
    ///   `nil` when none can take its place.
    func start(
        _ name: String, _ body: @escaping @Sendable (WatchedThread) -> Void,
        replacedBy successor: (@Sendable (WatchedThread) -> Void)?
    ) {
        let thread = WatchedThread(clock: clock, limitSeconds: limitSeconds) { [weak self] thread in
            self?.replace(thread, name, by: successor)
        }
        calls.add(thread)
        threads.begin()
        NamedThread.start(name) { [threads, calls] in
            body(thread)
            calls.remove(thread)
            // One that was given up has been counted out by the watch.
            if thread.finish() { threads.end() }
        }
    }

    private func replace(_ thread: WatchedThread, _ name: String, by successor: (@Sendable (WatchedThread) -> Void)?) {
        withdrawn(thread)
        let stuck = calls.stuckCalls
        if let successor, !isEnding.withLock({ $0 }) { start(name, successor, replacedBy: successor) }
        givenUp(GivenUp(name: name, isReplaced: successor != nil, stuckCalls: stuck))
        // After the other has been counted in, or none might seem to be left.
        threads.end()
    }

    /// Looks at the calls from now on, on a thread of its own; `look` is called each time.
    func watch(look: @escaping @Sendable () -> Void) {
        NamedThread.start("watch") { [calls, seconds = min(max(limitSeconds / 8, 0.02), 1)] in
            calls.run(every: seconds, look: look)
        }
    }

    /// Threads whose calls have not returned.
    var stuckCalls: Int { calls.stuckCalls }

    /// Returns once the calls have been looked at since this call, or when the task is cancelled.
    func heartbeat() async {
        await calls.beats.next()
    }

    /// Starts no more threads in place of others.
    func beginEnding() {
        isEnding.withLock { $0 = true }
    }

    /// Returns once all threads have ended but those that were given up, and ends the watch.
    func ended() async {
        await threads.drained()
        calls.close()
    }
}
