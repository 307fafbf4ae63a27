import AgentProtocol
import ArgumentParser

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "List and revoke signing keys.",
        discussion: """
            A key is standby (published ahead), active (signs), retiring (no longer signs, still valid), retired or revoked \
            (no longer published, its private key destroyed).
            """,
        subcommands: [KeysListCommand.self, KeysRevokeCommand.self])
}

struct KeysListCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the keys of one issuer or of all, ended ones included.",
        discussion: """
            As json each key also has the time of each transition, its public JWK, and what the HSM token itself says about \
            the private key.

            Examples:
              privyseal keys list --issuer demo
              privyseal keys list -o tsv | awk '$4 == "active" { print $2 }'
              privyseal keys list --query keys.0.custody -o json
            """)

    static let columns: [Column] = [
        Column("Issuer", "issuer"),
        Column("Kid", "kid"),
        Column("Algorithm", "algorithm"),
        Column("State", "state"),
        Column("Expires", "expiresAt", show: Column.remaining),
        Column("Age", "createdAt", show: Column.age),
    ]

    @Option(help: ArgumentHelp("Only this issuer's keys.", valueName: "name"))
    var issuer: String?
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let list = try await socket.withAgent(console) { agent in
            try await agent.callPages(list: "keys") { ListKeysParameters(issuer: issuer, cursor: $0) }
        }
        try output.print(list, as: .list("keys", Self.columns), on: console)
    }
}
