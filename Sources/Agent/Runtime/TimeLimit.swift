/// Returns when the work has ended or the time is over, whichever is first.
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
    for await _ in ends {}
    waiting.cancel()
    _ = working
}
