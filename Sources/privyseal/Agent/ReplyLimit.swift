import AgentClient
import AgentProtocol

/// How long one reply of the agent is waited for: an agent that was stopped, or that hangs, takes connections and never answers.
struct ReplyLimit: Sendable {
    let seconds: Int
    let path: String
    /// Returns when so much time has passed; throws when its task is cancelled.
    let pause: @Sendable (Duration) async throws -> Void

    /// What `operation` returns, unless the time passes first.
    fileprivate func bound<Value: Sendable>(
        _ what: String, _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await operation() }
            group.addTask {
                try await pause(.seconds(seconds))
                return nil
            }
            defer { group.cancelAll() }
            if let value = try await group.next() ?? nil { return value }
            throw AgentUnreachable.noReply(to: what, within: .seconds(seconds), path: path)
        }
    }
}

extension ReplyLimit? {
    /// A session every reply of which comes within the limit, if there is one.
    func connect(_ open: @escaping @Sendable () async throws -> any AgentSession) async throws -> any AgentSession {
        guard let self else { return try await open() }
        return BoundedSession(agent: try await self.bound("connecting", open), limit: self)
    }
}

private struct BoundedSession: AgentSession {
    let agent: any AgentSession
    let limit: ReplyLimit

    func call(_ method: AgentProtocol.Method, _ params: JSONValue?) async throws -> JSONValue {
        try await limit.bound(method.rawValue) { try await agent.call(method, params) }
    }

    func close() async { await agent.close() }
}
