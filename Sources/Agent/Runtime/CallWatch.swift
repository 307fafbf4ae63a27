import Platform

/// One thread's calls into the PKCS#11 module, so that one that never returns is noticed by another thread.
final class WatchedThread: Sendable {
    private struct State {
        /// When the call under way is overdue, in nanoseconds of the monotonic clock.
        var isDue: Int64?
        var isAbandoned = false
        var abandonment: (@Sendable () -> Void)?
    }

    private let state = Locked(State())
    private let clock: AgentClock
    /// Nanoseconds a call may take unless it says otherwise.
    private let limit: Int64
    /// Called when the thread is given up; another is to be started.
    fileprivate let replace: @Sendable (WatchedThread) -> Void

    init(clock: AgentClock, limitSeconds: Double, replace: @escaping @Sendable (WatchedThread) -> Void) {
        self.clock = clock
        limit = Self.nanoseconds(limitSeconds)
        self.replace = replace
    }

    /// A call begins. `abandonment` is run, from another thread, should it not return in its time.
    ///
    /// - Returns: false when the thread has been given up and must end.
    ///
    /// - Parameter times: how many times the thread's own limit, for what may first have to wait for others.
    func begin(limitSeconds: Double? = nil, times: Int64 = 1, _ abandonment: (@Sendable () -> Void)? = nil) -> Bool {
        let isDue = clock.monotonic() + (limitSeconds.map(Self.nanoseconds) ?? times * limit)
        return state.withLock { state in
            guard !state.isAbandoned else { return false }
            state.isDue = isDue
            state.abandonment = abandonment
            return true
        }
    }

    /// A call begins on a thread that has been given up: the module must not be finalised under it.
    func beginLate() {
        let isDue = clock.monotonic()
        state.withLock { $0.isDue = isDue }
    }

    /// The call has returned.
    ///
    /// - Returns: false when the thread has been given up meanwhile: whoever waited has been answered, and it must end.
    func end() -> Bool {
        state.withLock { state in
            state.isDue = nil
            state.abandonment = nil
            return !state.isAbandoned
        }
    }

    /// The thread ends.
    ///
    /// - Returns: false when it had been given up.
    func finish() -> Bool {
        state.withLock { state in
            state.isDue = nil
            return !state.isAbandoned
        }
    }

    /// Gives the thread up if its call is overdue, and returns what is to be done then.
    fileprivate func abandonIfOverdue(_ now: Int64) -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard let isDue = state.isDue, now > isDue, !state.isAbandoned else { return nil }
            state.isAbandoned = true
            defer { state.abandonment = nil }
            return state.abandonment ?? {}
        }
    }

    fileprivate var isStuck: Bool {
        state.withLock { $0.isAbandoned && $0.isDue != nil }
    }

    private static func nanoseconds(_ seconds: Double) -> Int64 { Int64(seconds * 1_000_000_000) }
}

/// Looks at watched threads now and then, from a thread that calls no module.
final class CallWatch: Sendable {
    private let threads = Locked<[WatchedThread]>([])
    private let clock: AgentClock
    private let ending = Signal()
    /// Heartbeat of looking.
    let beats = Heartbeat()

    init(clock: AgentClock) {
        self.clock = clock
    }

    func add(_ thread: WatchedThread) {
        threads.withLock { $0.append(thread) }
    }

    /// The thread has ended by itself.
    func remove(_ thread: WatchedThread) {
        threads.withLock { threads in threads.removeAll { $0 === thread } }
    }

    /// Threads whose call has not returned.
    var stuckCalls: Int { threads.withLock { $0.count(where: \.isStuck) } }

    /// Runs until `close()`, on a thread of its own; `look` is called each time.
    func run(every seconds: Double, look: () -> Void) {
        while !ending.wait(seconds: seconds) {
            giveUpOverdue()
            look()
            beats.beat()
        }
    }

    private func giveUpOverdue() {
        let now = clock.monotonic()
        for thread in threads.withLock({ $0 }) {
            guard let abandonment = thread.abandonIfOverdue(now) else { continue }
            abandonment()
            thread.replace(thread)
        }
    }

    func close() {
        ending.send()
    }
}
