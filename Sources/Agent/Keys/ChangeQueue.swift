import KeyLifecycle

/// Carries out the changes of each issuer one after the other, in the order they came.
///
/// A change runs to its end even when whoever asked for it is gone: its commits are not to be cut in two.
actor ChangeQueue {
    private var tails: [IssuerName: (number: Int, task: Task<Void, Never>)] = [:]
    private var count = 0

    /// Runs `change` once every change enqueued earlier for this issuer has ended.
    func run<Value: Sendable>(
        _ issuer: IssuerName, _ change: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await enqueue(issuer, change).value
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
