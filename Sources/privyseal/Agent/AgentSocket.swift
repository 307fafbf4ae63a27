import AgentClient
import AgentProtocol

/// A connection to the agent's Unix socket.
struct AgentSocket: AgentSession {
    private let client: AgentConnection

    /// Throws `AgentUnreachable`.
    init(path: String) async throws {
        client = try await AgentConnection.connect(socketPath: path)
    }

    func call(_ method: AgentProtocol.Method, _ params: JSONValue?) async throws -> JSONValue {
        try JSONValue(parsing: try await client.callRaw(method, params: params.map { JSONSlice($0) }))
    }

    func close() async {
        await client.close()
    }
}
