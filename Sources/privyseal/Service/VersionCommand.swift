import AgentClient
import AgentProtocol
import ArgumentParser

struct VersionCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Show the versions of this client and of the agent.",
        discussion: """
            Warns when the agent no longer serves clients of this release. Without an agent that answers within --timeout, 5s unless \
            given, the client's own version is still printed, and the exit code is 3. `privyseal --version` asks no agent.

            Example:
              privyseal version --query agent.agentVersion -o tsv
            """)

    static let columns: [Column] = [
        Column("Client", "client", "version"),
        Column("Client protocol", "client", "protocolVersion"),
        Column("Agent", "agent", "agentVersion"),
        Column("Agent protocol", "agent", "protocolVersion"),
        Column("Oldest client", "agent", "oldestClient"),
    ]

    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let agent: JSONValue
        do {
            agent = try await socket.withAgent(console, timeout: SocketOptions.probeTimeout) { agent in
                try await agent.call(VersionParameters()).tree
            }
        } catch let error as AgentUnreachable {
            try output.print(Self.result(agent: .null), as: .card(Self.columns), on: console)
            throw error
        }
        console.warn(Self.warnings(agent: agent, client: ProtocolVersion.agent))
        try output.print(Self.result(agent: agent), as: .card(Self.columns), on: console)
    }

    private static func result(agent: JSONValue) -> JSONValue {
        [
            "client": [
                "version": .string(ProtocolVersion.agent), "protocolVersion": .string(ProtocolVersion.current),
            ],
            "agent": agent,
        ]
    }

    static func warnings(agent: JSONValue, client: String) -> [String] {
        guard let oldest = agent["oldestClient"]?.string, isOlder(client, than: oldest) else { return [] }
        return ["the agent serves clients from \(oldest) on, this one is \(client): install a newer client"]
    }

    /// Compares `major.minor.patch` number by number; what is no number counts as 0.
    static func isOlder(_ version: String, than other: String) -> Bool {
        func numbers(_ text: String) -> [Int] { text.split(separator: ".").map { Int($0) ?? 0 } }
        return numbers(version).lexicographicallyPrecedes(numbers(other))
    }
}
