/// How services wait, given to them so that tests need not.
public struct Pause: Sendable {
    /// What is waited for.
    public enum Purpose: Sendable, Hashable {
        /// The next attempt to connect.
        case backoff
        /// The next sign of life to ask for.
        case heartbeat
        /// The end of the agent's time to answer.
        case deadline
        /// The next look at the files of the certificate.
        case certificate
        /// The next look at connections whose time may be over.
        case connections
    }

    private let wait: @Sendable (Purpose, Duration) async throws -> Void

    /// `wait` throws when its task is cancelled.
    public init(_ wait: @escaping @Sendable (Purpose, Duration) async throws -> Void) {
        self.wait = wait
    }

    /// Real time.
    public static let realTime = Pause { _, duration in
        try await Task.sleep(for: duration, clock: .continuous)
    }

    func callAsFunction(_ purpose: Purpose, _ duration: Duration) async throws {
        try await wait(purpose, duration)
    }

    /// What `operation` returns, unless `duration` passes first: then `agentSilent` is thrown.
    ///
    /// When the time is over, or the task is cancelled, `operation` is cancelled and `giveUp` runs, which must make it end
    /// should cancellation not.
    func limiting<Value: Sendable>(
        to duration: Duration, giveUp: @Sendable () async -> Void = {},
        _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await operation() }
            group.addTask {
                try await self(.deadline, duration)
                return nil
            }
            defer { group.cancelAll() }
            do {
                if let value = try await group.next() ?? nil { return value }
            } catch {
                // What fails by itself has ended.
                guard Task.isCancelled else { throw error }
            }
            group.cancelAll()
            await giveUp()
            try Task.checkCancellation()
            throw FrontendError(.agentSilent, "the agent did not answer within \(duration)", hint: "see the agent's log")
        }
    }
}
