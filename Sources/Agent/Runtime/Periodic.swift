/// Does something now, and again and again after a pause, until the task is cancelled.
///
/// Each of those who look after something has a task of its own, and none is held up by what another one looks after: a store
/// that does not answer keeps no idle connection open, and a disk that does not answer is noticed while the store waits for it.
/// What may wait in a system call or in the token's module looks on a thread of its own instead: `AuditKeeper`, `CallWatch`.
func every(_ pause: Duration, _ work: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    Task {
        while !Task.isCancelled {
            await work()
            try? await Task.sleep(for: pause)
        }
    }
}
