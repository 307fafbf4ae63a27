import Platform

/// Returns when the work has ended or the time is over, whichever is first. Work that has not ended goes on. Also in a task
/// that has been cancelled: what ends in order is given its time then too.
func forAtMost(_ time: Duration, _ work: @escaping @Sendable () async -> Void) async {
    let (ends, end) = AsyncStream<Never>.makeStream()
    let working = Task {
        await work()
        end.finish()
    }
    let waiting = Task {
        try? await Task.sleep(for: time)
        end.finish()
    }
    await Task { for await _ in ends {} }.value
    waiting.cancel()
    _ = working
}

/// Runs work that may block on a thread of its own, not on the cooperative pool.
///
/// - Parameters:
///   - name: that of the thread.
///   - overdue: thrown when the work has not ended in its time; it goes on then, and nothing comes of it.
/// - Throws: what the work throws.
func onThread<Value: Sendable>(
    _ name: String, atMost time: Duration, orElse overdue: any Error, _ work: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        let answer = OneAnswer(continuation)
        let timer = Task {
            try await Task.sleep(for: time)
            answer.give(.failure(overdue))
        }
        NamedThread.start(name) {
            answer.give(Result(catching: work))
            timer.cancel()
        }
    }
}
