import AgentProtocol
import ArgumentParser

struct RotateCommand: ConsoleCommand {
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

        With --when-safe the present key signs on until no relying party can be surprised by the next one; the agent rotates \
        by itself then, after a restart too, and `issuer status` says when. What is revoked is revoked at once all the same, \
        and a relying party can go on accepting it until then: after a compromise, do not wait. With --no-revoke a rotation \
        inside the overlap is refused.

        Shows the plan and asks. What is then carried out is that plan or nothing: if the issuer has changed meanwhile, the \
        agent answers CONFLICT, so that a repeated command never rotates twice.

        Examples:
          \(command) demo --dry-run
          \(command) demo
          \(command) demo --when-safe --no-revoke
          \(command) demo --cancel
          \(command) demo --yes --query activeKid -o tsv
        """
    }
}

struct RotationOptions: ParsableArguments {
    @OptionGroup var issuer: IssuerArgument
    @Flag(help: "Have the next key sign once no relying party can be surprised by it.")
    var whenSafe = false
    @Flag(help: "Refuse to revoke a key that is still retiring.")
    var noRevoke = false
    @Flag(help: "Have a rotation wait no more that was asked for with --when-safe.")
    var cancel = false
    @OptionGroup var change: PlannedChange

    func validate() throws {
        guard cancel, whenSafe || noRevoke else { return }
        throw ValidationError("--cancel goes without --when-safe and --no-revoke.")
    }

    func run(on console: Console) async throws {
        try await change.run(on: console) { dryRun, generation in
            RotateParameters(
                issuer: issuer.name, dryRun: dryRun ? true : nil, ifGeneration: generation,
                whenSafe: whenSafe ? true : nil, noRevoke: noRevoke ? true : nil, cancel: cancel ? true : nil)
        } title: { result in
            if cancel { return "The rotation of issuer \(result.issuer) waits no more" }
            return result.plan.signsFrom == nil
                ? "Rotated issuer \(result.issuer)" : "The rotation of issuer \(result.issuer) waits"
        }
    }
}
