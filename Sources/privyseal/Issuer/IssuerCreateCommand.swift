import AgentProtocol
import ArgumentParser

struct IssuerCreateCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create an issuer with its first signing key.",
        discussion: """
            Without options: RS256 with 2048 bits, JWTs of 1h and at most 24h, a rotated-out key stays valid for 24h, a standby key is \
            published ahead, public keys may be cached for 30s, no scheduled rotation, OIDC profile disabled. Prints the \
            issuer as `issuer show` does.

            Examples:
              privyseal issuer create demo --enable-oidc-issuer
              privyseal issuer create ci --algorithm ES256 --rotate-every 30d
              URL=$(privyseal issuer create web --enable-oidc-issuer \\
                --query oidcIssuerProfile.issuerUrl -o tsv)
            """)

    @OptionGroup var issuer: IssuerArgument
    @Flag(help: "Give the issuer a URL of its own and publish its keys there.")
    var enableOIDCIssuer = false
    @OptionGroup(title: "Settings") var settings: IssuerSettingsOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let parameters = IssuerCreateParameters(
            issuer: issuer.name, enableOIDCIssuer: enableOIDCIssuer ? true : nil, settings: settings.patch)
        let reply = try await socket.withAgent(console) { agent in try await agent.call(parameters).tree }
        try output.print(issuerChange: reply, on: console)
    }
}

extension OutputOptions {
    /// Prints what `issuer-create` and `issuer-update` return: the issuer as the result, the warnings beside it.
    func print(issuerChange reply: JSONValue, on console: Console) throws {
        console.warn(reply.warnings)
        try print(reply["issuer"] ?? reply, as: .card(IssuerColumns.settings), on: console)
    }
}

extension JSONValue {
    /// The texts of a reply's `warnings`.
    var warnings: [String] { self["warnings"]?.elements?.compactMap(\.string) ?? [] }
}
