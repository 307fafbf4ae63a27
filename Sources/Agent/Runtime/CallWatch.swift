import Platform

/// Looks at watched threads now and then, from a thread that calls no module.
final class CallWatch: Sendable {
    private let threads = Locked<[WatchedThread]>([])
    private let clock: AgentClock
    private let ending = Signal()
    /// Beats when the calls have been looked at.
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
            let now = clock.monotonic()
            for thread in threads.withLock({ $0 }) { thread.giveUpIfOverdue(now) }
            look()
            beats.beat()
        }
    }

    func close() {
        ending.send()
    }
}
