import OIDCFrontend
import Platform

/// Waits that last until the test ends them.
final class ManualPause: Sendable {
    private struct State {
        var next = 0
        var waiting: [Int: (purpose: Pause.Purpose, continuation: CheckedContinuation<Void, any Error>)] = [:]
        var durations: [Pause.Purpose: [Duration]] = [:]
    }

    private let state = Locked(State())

    var pause: Pause {
        Pause { purpose, duration in try await self.wait(purpose, duration) }
    }

    /// How long every wait for this purpose was to last, in order.
    func durations(_ purpose: Pause.Purpose) -> [Duration] { state.withLock { $0.durations[purpose, default: []] } }

    /// Ends the waits for this purpose that are under way; returns whether there were any.
    @discardableResult
    func end(_ purpose: Pause.Purpose) -> Bool {
        let ended = state.withLock { state in
            let ended = state.waiting.filter { $0.value.purpose == purpose }
            for id in ended.keys { state.waiting[id] = nil }
            return ended.values.map(\.continuation)
        }
        for continuation in ended { continuation.resume() }
        return !ended.isEmpty
    }

    private func wait(_ purpose: Pause.Purpose, _ duration: Duration) async throws {
        let id = state.withLock { state in
            state.next += 1
            state.durations[purpose, default: []].append(duration)
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                state.withLock { $0.waiting[id] = (purpose, continuation) }
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func cancel(_ id: Int) {
        let waiting = state.withLock { $0.waiting.removeValue(forKey: id)?.continuation }
        waiting?.resume(throwing: CancellationError())
    }
}
