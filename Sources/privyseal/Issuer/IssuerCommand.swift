import AgentProtocol
import ArgumentParser

struct IssuerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issuer",
        abstract: "Create, change, look at and rotate OIDC issuers.",
        discussion: """
            An issuer is a name, a ring of signing keys and the rules its JWTs follow. It always signs. With its OIDC profile \
            enabled it also has a URL of its own, under which anyone can fetch its discovery document and public keys; that \
            URL is then the iss of its JWTs.
            """,
        subcommands: [
            IssuerCreateCommand.self, IssuerUpdateCommand.self, IssuerShowCommand.self, IssuerListCommand.self,
            IssuerStatusCommand.self,
            IssuerDeleteCommand.self, RotateCommand.self,
        ])
}

struct IssuerShowCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show an issuer's settings.",
        discussion: """
            `issuer status` shows where it stands: keys, rotations, former URLs. As json both print the same, complete object.

            Examples:
              privyseal issuer show demo
              privyseal issuer show demo --query oidcIssuerProfile.issuerUrl -o tsv
            """)

    @OptionGroup var issuer: IssuerArgument
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let parameters = IssuerStatusParameters(issuer: issuer.name)
        let reply = try await socket.withAgent(console) { agent in try await agent.call(parameters).tree }
        try output.print(reply, as: .card(IssuerColumns.settings), on: console)
    }
}

struct IssuerStatusCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show where an issuer stands: its iss, keys and rotations.",
        discussion: """
            Examples:
              privyseal issuer status demo
              privyseal issuer status demo --query activeKid -o tsv
            """)

    @OptionGroup var issuer: IssuerArgument
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let parameters = IssuerStatusParameters(issuer: issuer.name)
        let reply = try await socket.withAgent(console) { agent in try await agent.call(parameters).tree }
        console.warn(IssuerColumns.warnings([reply]))
        try output.print(reply, as: .card(IssuerColumns.status), on: console)
    }
}

struct IssuerListCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the issuers.",
        discussion: """
            Examples:
              privyseal issuer list
              privyseal issuer list --query issuers.0.name -o tsv
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let list = try await socket.withAgent(console) { agent in
            try await agent.callPages(list: "issuers") { IssuerListParameters(cursor: $0) }
        }
        console.warn(IssuerColumns.warnings(list["issuers"]?.elements ?? []))
        try output.print(list, as: .list("issuers", IssuerColumns.list), on: console)
    }
}
