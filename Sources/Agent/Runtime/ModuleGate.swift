import Platform

/// Who is inside the PKCS#11 module, so that it is finalised while nobody is.
final class ModuleGate: Sendable {
    private struct State {
        var users = 0
        var isClosed = false
        /// Whether somebody waits for the last user to leave.
        var isDraining = false
    }

    private let state = Locked(State())
    private let drained = Signal()

    /// Whether the module may be called now; if so, `leave()` must follow.
    func enter() -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.users += 1
            return true
        }
    }

    func leave() {
        let isLast = state.withLock { state in
            state.users -= 1
            defer { if state.users == 0 { state.isDraining = false } }
            return state.users == 0 && state.isDraining
        }
        if isLast { drained.send() }
    }

    /// Lets nobody in any more, and waits until everybody has left, for so many seconds at most. For one thread at a time.
    ///
    /// - Returns: whether everybody has left. If not, the gate is open again.
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

    func open() {
        state.withLock { $0.isClosed = false }
    }
}
