import AgentProtocol
import ArgumentParser

struct HealthCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Show whether the agent can sign, and what is wrong if not.",
        discussion: """
            The exit code is 0 while the agent signs (ok, and degraded: something needs attention), 1 when it cannot \
            (unavailable), 3 when it does not answer within --timeout, 5s unless given.

            Examples:
              privyseal health
              privyseal health --query status -o tsv
            """)

    static let columns: [Column] = [
        Column("Status", "status"),
        Column("HSM", "hsm", "state"),
        Column("Token", "hsm", "tokenLabel"),
        Column("Serial", "hsm", "tokenSerial"),
        Column("Sessions", "hsm", "sessions"),
        Column("Queued", "hsm", "queuedRequests"),
        Column("Key work", "hsm", "keyWork", "awaited", "queued"),
        Column("Store", "store", "state"),
        Column("Clock", "clock", "state"),
        Column("Audit log", "audit", "state"),
    ]

    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let health = try await socket.withAgent(console, timeout: SocketOptions.probeTimeout) { agent in
            try await agent.call(HealthParameters()).tree
        }
        console.warn(Self.problems(health) + (health["notices"]?.elements ?? []).compactMap(\.string))
        try output.print(health, as: .card(Self.columns, more: FleetText.lines), on: console)
        guard Self.isServing(health) else { throw Failure(.failed, nil) }
    }

    /// Whether JWTs are signed; a status this client does not know is no reason to rely on it.
    static func isServing(_ health: JSONValue) -> Bool {
        ["ok", "degraded"].contains(health["status"]?.string)
    }

    /// A line for each problem: where, what, and what to do.
    static func problems(_ health: JSONValue) -> [String] {
        (health["problems"]?.elements ?? []).map { problem in
            let what = "\(problem["component"]?.string ?? "agent"): \(problem["message"]?.string ?? "unknown problem")"
            return what + (problem["hint"]?.string.map { "; \($0)" } ?? "")
        }
    }
}
