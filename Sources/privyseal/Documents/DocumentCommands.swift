import AgentProtocol
import ArgumentParser

struct KeySetCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "jwks",
        abstract: "Print an issuer's public keys, byte for byte as they are served.",
        discussion: """
            Works also while the OIDC profile is disabled and nothing is served. With -o or --query the document is printed as \
            any other result.

            Examples:
              privyseal jwks demo > jwks.json
              privyseal jwks demo --query keys.0.kid -o tsv
            """)

    @OptionGroup var issuer: IssuerArgument
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let parameters = GetDiscoveryParameters(issuer: issuer.name)
        let documents = try await socket.withAgent(console) { agent in try await agent.call(parameters).decoded() }
        try output.print(document: documents.jwks, on: console)
    }
}

struct DiscoveryCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "discovery",
        abstract: "Print an issuer's discovery document, byte for byte as it is served.",
        discussion: """
            There is one only while the OIDC profile is enabled. With -o or --query the document is printed as any other \
            result.

            Examples:
              privyseal discovery demo
              privyseal discovery demo --query jwks_uri -o tsv
            """)

    @OptionGroup var issuer: IssuerArgument
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let parameters = GetDiscoveryParameters(issuer: issuer.name)
        let documents = try await socket.withAgent(console) { agent in try await agent.call(parameters).decoded() }
        guard let document = Self.current(documents) else {
            throw Failure(
                .failed, "issuer \(issuer.name) has no discovery document: its OIDC profile is disabled",
                hint: "enable it with `privyseal issuer update \(issuer.name) --enable-oidc-issuer`")
        }
        try output.print(document: document, on: console)
    }

    /// The document in force at the agent's own time, under the issuer's present URL.
    static func current(_ result: DiscoveryResult) -> Document? {
        result.urls.first(where: \.current)?.versions.last { $0.from <= result.dataTimestamp }?.discovery
    }
}

extension OutputOptions {
    /// Prints a document's own bytes unless a format or a query asks for something else.
    func print(document: Document, on console: Console) throws {
        let bytes = Array(document.body.utf8)
        guard format != nil || query != nil else { return try console.write(bytes) }
        try print(try JSONValue(parsing: bytes), as: .generic, on: console)
    }
}
