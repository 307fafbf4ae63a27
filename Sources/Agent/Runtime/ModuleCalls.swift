import Platform

// The one way into the PKCS#11 module: past a gate that can be closed, and watched by another thread. The steps of it are this
// file's own, so that no caller can leave one out: a thread goes in and out by `ModuleGate.call` and its like alone.

/// How long a call into the module may take before its thread is given up.
enum CallLimit: Sendable {
    /// As long as the thread's calls may.
    case usual
    /// Twice as long, for one that may first have to wait for another thread's.
    case twice
    case seconds(Double)
}

/// What came of a call into the module.
enum CallOutcome<Value: ~Copyable>: ~Copyable {
    /// It has returned, in time.
    case done(Value)
    /// Nothing was called: the gate is closed, or, for one that wants the module for itself, others did not leave in time.
    case outOfUse
    /// Nothing was called: the module has been initialised anew since the caller last looked.
    case anotherGeneration
    /// The watch has given up the thread, which must end: whatever it worked for has been answered. It was so before the call,
    /// or the call has returned late, with this.
    case givenUp(late: Value?)
}

extension CallOutcome: Copyable where Value: Copyable {}

/// Counts the threads inside the PKCS#11 module, so that it is finalised while none is.
final class ModuleGate: Sendable {
    private struct State {
        var users = 0
        var isClosed = false
        /// Whether a thread waits for the last user to leave.
        var isDraining = false
    }

    private let state = Locked(State())
    private let drained = Signal()

    /// Has the calling thread call the module, unless the gate is closed.
    ///
    /// - Parameters:
    ///   - isCurrent: asked once no thread can initialise the module any more; the call is left out when it says no.
    ///   - abandonment: run by the watch, on its thread, should the call not return in its time.
    func call<Value: ~Copyable>(
        watchedBy thread: WatchedThread, limit: CallLimit = .usual, if isCurrent: () -> Bool = { true },
        ifNever abandonment: (@Sendable () -> Void)? = nil, _ work: () -> Value
    ) -> CallOutcome<Value> {
        guard enter() else { return .outOfUse }
        guard isCurrent() else {
            leave()
            return .anotherGeneration
        }
        guard thread.begin(limit, abandonment) else {
            leave()
            return .givenUp(late: nil)
        }
        let value = work()
        leave()
        return thread.end() ? .done(value) : .givenUp(late: value)
    }

    /// Has the calling thread call the module while no other is inside: each of the others has so many seconds to leave, and none
    /// gets in before the call has returned.
    ///
    /// For one thread at a time.
    func callAlone<Value: ~Copyable>(
        watchedBy thread: WatchedThread, limit: CallLimit, within seconds: Double, _ work: () -> Value
    ) -> CallOutcome<Value> {
        guard thread.begin(limit, nil) else { return .givenUp(late: nil) }
        guard close(within: seconds) else { return thread.end() ? .outOfUse : .givenUp(late: nil) }
        let value = work()
        open()
        return thread.end() ? .done(value) : .givenUp(late: value)
    }

    /// Has a thread that has been given up call the module once more, to clear up: the module must not be finalised under it.
    ///
    /// - Returns: whether the gate was open.
    func callLate(_ thread: WatchedThread, _ work: () -> Void) -> Bool {
        guard enter() else { return false }
        thread.beginLate()
        work()
        _ = thread.end()
        leave()
        return true
    }

    private func enter() -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.users += 1
            return true
        }
    }

    private func leave() {
        let isLast = state.withLock { state in
            state.users -= 1
            defer { if state.users == 0 { state.isDraining = false } }
            return state.users == 0 && state.isDraining
        }
        if isLast { drained.send() }
    }

    /// Lets no thread in any more, and waits until all have left, for so many seconds at most. For one thread at a time.
    ///
    /// - Returns: whether all have left. If not, the gate is open again.
    func close(within seconds: Double) -> Bool {
        let isEmpty = state.withLock { state in
            state.isClosed = true
            state.isDraining = state.users > 0
            return state.users == 0
        }
        if isEmpty { return true }
        let hasCome = drained.wait(seconds: seconds)
        let hasDrained = state.withLock { state in
            defer { state.isDraining = false }
            if state.isDraining { state.isClosed = false }
            return !state.isDraining
        }
        // A signal that came just after the wait ended must not count for the next one.
        if hasDrained, !hasCome { drained.wait() }
        return hasDrained
    }

    private func open() {
        state.withLock { $0.isClosed = false }
    }
}

/// One thread's calls into the PKCS#11 module, so that one that never returns is noticed by another thread: see ``CallWatch``.
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
    private let replace: @Sendable (WatchedThread) -> Void

    init(clock: AgentClock, limitSeconds: Double, replace: @escaping @Sendable (WatchedThread) -> Void) {
        self.clock = clock
        limit = Self.nanoseconds(limitSeconds)
        self.replace = replace
    }

    private static func nanoseconds(_ seconds: Double) -> Int64 { Int64(seconds * 1_000_000_000) }

    /// A call begins.
    ///
    /// - Returns: false when the thread has been given up, and must end.
    fileprivate func begin(_ limit: CallLimit, _ abandonment: (@Sendable () -> Void)?) -> Bool {
        let time =
            switch limit {
            case .usual: self.limit
            case .twice: 2 * self.limit
            case .seconds(let seconds): Self.nanoseconds(seconds)
            }
        let isDue = clock.monotonic() + time
        return state.withLock { state in
            guard !state.isAbandoned else { return false }
            state.isDue = isDue
            state.abandonment = abandonment
            return true
        }
    }

    /// A call begins on a thread that has been given up: it counts as stuck until it has returned.
    fileprivate func beginLate() {
        let isDue = clock.monotonic()
        state.withLock { $0.isDue = isDue }
    }

    /// The call has returned.
    ///
    /// - Returns: false when the thread has been given up meanwhile.
    fileprivate func end() -> Bool {
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

    /// Gives the thread up if its call is overdue: has its caller answered, and another thread started. Not on the thread.
    func giveUpIfOverdue(_ now: Int64) {
        let abandonment = state.withLock { state -> (@Sendable () -> Void)? in
            guard let isDue = state.isDue, now > isDue, !state.isAbandoned else { return nil }
            state.isAbandoned = true
            defer { state.abandonment = nil }
            return state.abandonment ?? {}
        }
        guard let abandonment else { return }
        abandonment()
        replace(self)
    }

    /// Whether it has been given up, and its call has not returned yet.
    var isStuck: Bool {
        state.withLock { $0.isAbandoned && $0.isDue != nil }
    }
}
