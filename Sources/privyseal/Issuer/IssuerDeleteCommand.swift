import AgentProtocol
import ArgumentParser

struct IssuerDeleteCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete an issuer: revoke its keys, end its documents.",
        discussion: """
            Every key of the issuer is revoked and destroyed, and its URLs serve nothing any more: JWTs it has issued stop \
            verifying, at the latest when the cached public keys run out. There is no way back.

            Example:
              privyseal issuer delete demo
            """)

    @OptionGroup var issuer: IssuerArgument
    @OptionGroup var confirmation: Confirmation
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        try confirmation.checkPossible(on: console)
        let reply = try await socket.withAgent(console) { agent in
            let status = try await agent.call(IssuerStatusParameters(issuer: issuer.name)).decoded()
            try confirmation.ask(Self.consequences(status), on: console)
            return try await agent.callConfirmed(status, question: Self.consequences) { generation in
                IssuerDeleteParameters(issuer: issuer.name, ifGeneration: generation)
            }
        }
        let result = try reply.decoded()
        console.warn(Self.warnings(result) + result.warnings)
        try output.print(reply.tree, as: .text { _ in Self.text(result) }, on: console)
    }

    static func consequences(_ status: IssuerStatus) -> String {
        """
        This deletes issuer \(status.name) (\(status.issuer)) for good:
        every key of it is revoked and destroyed, and JWTs it has issued stop verifying.
        """
    }

    static func warnings(_ result: IssuerDeleteResult) -> [String] {
        guard result.exposureSeconds > 0 else { return [] }
        return [
            "a relying party with cached public keys can accept its JWTs for up to "
                + Elapsed.exact(seconds: Int64(result.exposureSeconds))
        ]
    }

    static func text(_ result: IssuerDeleteResult) -> String {
        var lines = [(label: "Revoked", value: result.revoked.isEmpty ? Column.none : result.revoked.joined(separator: ", "))]
        if let settlement = result.settlement { lines += SettlementText.lines(settlement) }
        return "Deleted issuer \(result.issuer).\n" + Layout.card(lines)
    }
}
