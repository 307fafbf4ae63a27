import Platform

/// The lowest scheduling priority, for work on the token in the background. It is raised again, from any thread, as soon as a
/// caller waits for it.
///
/// Where a thread that lowers its priority could not raise it again, it is not lowered: work that is awaited would be done at
/// it later. No failure to change a priority keeps work from being done.
final class BackgroundPriority: Sendable {
    private struct Lowered {
        let thread: ThreadPriority
        /// Nanoseconds of the monotonic clock.
        let since: Int64
    }

    private struct State {
        /// A thread takes itself out before it ends, so that no other is raised that was given its number.
        var lowered: [Lowered] = []
        var obstacle: PlatformError?
    }

    private let state: Locked<State>
    private let clock: AgentClock
    private let setIdle: @Sendable (ThreadPriority, Bool) throws(PlatformError) -> Void

    /// - Parameters:
    ///   - requireUsable: throws why a priority that was lowered could not be raised again.
    ///   - setIdle: how a thread's priority is lowered and raised.
    init(
        clock: AgentClock,
        requireUsable: () throws(PlatformError) -> Void = ThreadPriority.requireRestorable,
        setIdle: @escaping @Sendable (ThreadPriority, Bool) throws(PlatformError) -> Void = {
            (thread, isIdle) throws(PlatformError) in try thread.setIdle(isIdle)
        }
    ) {
        self.clock = clock
        self.setIdle = setIdle
        var initial = State()
        do throws(PlatformError) {
            try requireUsable()
        } catch {
            initial.obstacle = error
        }
        state = Locked(initial)
    }

    /// Why no priority is lowered; `nil` while they are.
    var obstacle: PlatformError? { state.withLock { $0.obstacle } }

    /// Lowers this thread's priority until `restore()`, unless a caller waits, which is asked once `raise()` has an effect: one
    /// that first makes this true and raises then is never missed.
    func lower(unless isAwaited: () -> Bool) {
        let thread = ThreadPriority.ofCurrentThread
        let since = clock.monotonic()
        let isUsable = state.withLock { state in
            if state.obstacle == nil { state.lowered.append(Lowered(thread: thread, since: since)) }
            return state.obstacle == nil
        }
        guard isUsable else { return }
        if isAwaited() { return state.withLock { $0.lowered.removeAll { $0.thread == thread } } }
        // Without the lock: a thread whose priority sinks is likely to be put aside there and then, and other threads would
        // wait for it.
        change(thread, isIdle: true)
        // A caller may have raised it meanwhile, perhaps before it was lowered.
        let isStillLowered = state.withLock { state in state.lowered.contains { $0.thread == thread } }
        if !isStillLowered { change(thread, isIdle: false) }
    }

    /// Gives this thread its ordinary priority again.
    ///
    /// Before anything that may start a thread, such as handing over a result: it would begin with the lower priority, and
    /// keep it.
    func restore() {
        let thread = ThreadPriority.ofCurrentThread
        let wasLowered = state.withLock { state in
            let count = state.lowered.count
            state.lowered.removeAll { $0.thread == thread }
            return state.lowered.count < count
        }
        if wasLowered { change(thread, isIdle: false) }
    }

    /// Gives every thread its ordinary priority: a caller waits.
    func raise() {
        raise { _ in true }
    }

    /// Gives those their ordinary priority that have had the lower one for so many seconds: a busy machine must not hold up
    /// the token's work for ever.
    func raise(loweredFor seconds: Double) {
        let latest = clock.monotonic() - Int64(seconds * 1_000_000_000)
        raise { $0.since <= latest }
    }

    /// Under the lock, or a thread could end meanwhile.
    private func raise(where isRaised: (Lowered) -> Bool) {
        state.withLock { state in
            for one in state.lowered where isRaised(one) {
                do throws(PlatformError) {
                    try setIdle(one.thread, false)
                } catch {
                    state.obstacle = error
                }
            }
            state.lowered.removeAll(where: isRaised)
        }
    }

    /// A priority that cannot be changed, although it could be at the start, is left as it is, and none is lowered any more.
    private func change(_ thread: ThreadPriority, isIdle: Bool) {
        do throws(PlatformError) {
            try setIdle(thread, isIdle)
        } catch {
            let reason = error
            state.withLock { $0.obstacle = reason }
        }
    }
}
