import Platform

/// The rounds of something that goes round and round, for others to see that it does.
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
    /// - Parameter prompt: has a round come that nothing else might bring.
    func next(_ prompt: () -> Void = {}) async {
        let (round, continuation) = AsyncStream.makeStream(of: Never.self)
        waiting.withLock { $0.append(continuation) }
        prompt()
        for await _ in round {}
    }
}
