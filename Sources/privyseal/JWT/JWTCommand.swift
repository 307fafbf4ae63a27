import ArgumentParser

struct JWTCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jwt",
        abstract: "Issue JWTs, and verify them as a relying party does.",
        subcommands: [JWTIssue.self, JWTVerify.self])
}
