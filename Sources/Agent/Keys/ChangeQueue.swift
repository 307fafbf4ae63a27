import KeyLifecycle
import Platform

/// Makes the changes of each issuer one after the other, in the order they came.
///
/// A change runs to its end even when its caller is gone: its commits are not to be cut in two.
actor ChangeQueue {
    private struct Awaited {
        /// How many changes of each issuer a caller waits for that have not begun.
        var changes: [IssuerName: Int] = [:]
        /// Whether the end of the agent waits for whatever there is to be done.
        var isEverything = false
    }

    private let awaited = Locked(Awaited())
    /// Called when a caller begins to wait for the changes of an issuer that are under way or queued.
    private let boost: @Sendable () -> Void
    private var tails: [IssuerName: (number: Int, task: Task<Void, Never>)] = [:]
    private var count = 0

    init(boost: @escaping @Sendable () -> Void = {}) {
        self.boost = boost
    }

    /// Whether a caller waits for a change of the issuer that has not begun, and so for those before it.
    nonisolated func isAwaited(_ issuer: IssuerName) -> Bool {
        awaited.withLock { $0.isEverything || $0.changes[issuer] != nil }
    }

    /// The end of the agent waits for all changes from now on.
    nonisolated func awaitEverything() {
        awaited.withLock { $0.isEverything = true }
        boost()
    }

    /// Runs `change` once every change enqueued earlier for this issuer has ended.
    func run<Value: Sendable>(
        _ issuer: IssuerName, _ change: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        awaited.withLock { $0.changes[issuer, default: 0] += 1 }
        if tails[issuer] != nil { boost() }
        return try await enqueue(issuer) { [awaited] in
            awaited.withLock { awaited in
                let others = (awaited.changes[issuer] ?? 1) - 1
                awaited.changes[issuer] = others == 0 ? nil : others
            }
            return try await change()
        }.value
    }

    /// As `run`, without waiting for the end.
    @discardableResult
    func enqueue<Value: Sendable>(
        _ issuer: IssuerName, _ change: @escaping @Sendable () async throws -> Value
    ) -> Task<Value, any Error> {
        let before = tails[issuer]?.task
        let task = Task {
            await before?.value
            return try await change()
        }
        count += 1
        let number = count
        let tail = Task {
            _ = await task.result
            self.leave(issuer, number)
        }
        tails[issuer] = (number, tail)
        return task
    }

    /// Returns once every change enqueued so far, and what those enqueue, has ended.
    func drain() async {
        while let tail = tails.values.first { await tail.task.value }
    }

    private func leave(_ issuer: IssuerName, _ number: Int) {
        if tails[issuer]?.number == number { tails[issuer] = nil }
    }
}
