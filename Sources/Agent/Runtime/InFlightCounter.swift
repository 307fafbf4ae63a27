import Platform

/// Counts what is under way, such as the signatures with one key, so that a change can wait for the last of it.
final class InFlightCounter: Sendable {
    private struct State {
        var underWay = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())

    func begin() {
        state.withLock { $0.underWay += 1 }
    }

    func end() {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.underWay -= 1
            guard state.underWay == 0 else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns once nothing is under way. Of use only after nothing new begins.
    func drained() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                guard state.underWay > 0 else { return true }
                state.waiting.append(continuation)
                return false
            }
            if isIdle { continuation.resume() }
        }
    }
}
