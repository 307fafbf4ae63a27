import Platform

/// The rounds of a thread that goes round and round, so that others see that it does.
final class Heartbeat: Sendable {
    private let waiting = Locked<[AsyncStream<Never>.Continuation]>([])

    /// A round is over.
    func beat() {
        let waiting = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for continuation in waiting { continuation.finish() }
    }

    /// Returns at the end of the next round, or when the task is cancelled.
    ///
    /// - Parameter prompt: called once the next round is waited for, to have one come that nothing else might bring.
    func next(_ prompt: () -> Void = {}) async {
        let (round, continuation) = AsyncStream.makeStream(of: Never.self)
        waiting.withLock { $0.append(continuation) }
        prompt()
        for await _ in round {}
    }
}
