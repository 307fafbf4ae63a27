import AgentProtocol
import ArgumentParser

struct RotateSigningKeys: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-signing-keys",
        abstract: "Let the next key sign; the present one stays valid for the overlap.",
        discussion: discussion(command: "privyseal issuer rotate-signing-keys"))

    @OptionGroup var options: RotationOptions

    func run(on console: Console) async throws {
        try await options.run(on: console)
    }

    /// `privyseal rotate`.
    struct Short: ConsoleCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate",
            abstract: "Rotate an issuer's signing keys (short for issuer rotate-signing-keys).",
            discussion: discussion(command: "privyseal rotate"))

        @OptionGroup var options: RotationOptions

        func run(on console: Console) async throws {
            try await options.run(on: console)
        }
    }

    private static func discussion(command: String) -> String {
        """
        The standby key becomes active, or a new one without it. The key that signed until now stays valid until the overlap \
        has passed, so JWTs already issued keep verifying. A key that was still retiring from the rotation before is revoked \
        at once: rotating twice within the overlap ends the first key, and JWTs signed by it stop verifying.

        Shows the plan and asks. What is then carried out is that plan or nothing: if the issuer has changed meanwhile, the \
        agent answers CONFLICT, so that a repeated command never rotates twice.

        Examples:
          \(command) demo --dry-run
          \(command) demo
          \(command) demo --yes --query activeKid -o tsv
        """
    }
}

struct RotationOptions: ParsableArguments {
    @OptionGroup var issuer: IssuerName
    @OptionGroup var change: PlannedChange

    func run(on console: Console) async throws {
        try await change.run(on: console) { dryRun, generation in
            RotateParameters(issuer: issuer.name, dryRun: dryRun ? true : nil, ifGeneration: generation)
        } title: { result in
            "Rotated issuer \(result.issuer)"
        }
    }
}
