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
            IssuerCreate.self, IssuerUpdate.self, IssuerShow.self, IssuerList.self, IssuerStatusCommand.self,
            IssuerDelete.self, RotateSigningKeys.self,
        ])
}

/// The NAME every command on one issuer takes.
struct IssuerName: ParsableArguments {
    @Argument(help: "The issuer's name: lower-case letters, digits and inner dashes, 63 at most.")
    var name: String
}
