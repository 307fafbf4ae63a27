import ArgumentParser

/// Where the agent is.
struct SocketOptions: ParsableArguments {
    static let defaultPath = "/run/privyseal/agent.sock"
    static let variable = "PRIVYSEAL_SOCKET"

    @Option(
        help: ArgumentHelp(
            "The agent's socket (default: $\(variable), else \(defaultPath)).", valueName: "path"),
        completion: .file())
    var socket: String?

    /// The option, else the variable unless it is empty, else the default.
    func path(_ environment: (String) -> String?) -> String {
        if let socket { return socket }
        if let path = environment(Self.variable), !path.isEmpty { return path }
        return Self.defaultPath
    }

    /// Connects, does `body`, and hangs up whatever happens.
    func withAgent<Value>(
        _ console: Console, _ body: (any AgentSession) async throws -> Value
    ) async throws -> Value {
        let agent = try await console.connect(path(console.environment))
        do {
            let value = try await body(agent)
            await agent.close()
            return value
        } catch {
            await agent.close()
            throw error
        }
    }
}
