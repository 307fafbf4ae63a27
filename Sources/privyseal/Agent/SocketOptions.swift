import ArgumentParser

/// Where the agent is, and how long it is waited for.
struct SocketOptions: ParsableArguments {
    static let defaultPath = "/run/privyseal/agent.sock"
    static let variable = "PRIVYSEAL_SOCKET"

    @Option(
        help: ArgumentHelp(
            "The agent's socket (default: $\(variable), else \(defaultPath)).", valueName: "path"),
        completion: .file())
    var socket: String?

    @Option(
        help: ArgumentHelp(
            "How long to wait for each reply of the agent; without end unless given, but for health and version.",
            valueName: "duration"),
        transform: DurationArgument.parsePositive)
    var timeout: DurationArgument?

    /// How long commands wait that ask whether the agent answers at all.
    static let probeTimeout = DurationArgument(seconds: 5)

    /// The option, else the variable unless it is empty, else the default.
    func path(_ environment: (String) -> String?) -> String {
        if let socket { return socket }
        if let path = environment(Self.variable), !path.isEmpty { return path }
        return Self.defaultPath
    }

    /// Connects, does `body`, and hangs up whatever happens.
    ///
    /// - Parameter timeout: how long to wait for each reply unless the command line says; without end unless given.
    /// - Throws: `AgentUnreachable` with the code `noReply` when the agent does not answer in time.
    func withAgent<Value>(
        _ console: Console, timeout: DurationArgument? = nil, _ body: (any AgentSession) async throws -> Value
    ) async throws -> Value {
        let path = path(console.environment)
        let limit = (self.timeout ?? timeout).map { ReplyLimit(seconds: $0.seconds, path: path, pause: console.pause) }
        let agent = try await limit.connect { try await console.connect(path) }
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
