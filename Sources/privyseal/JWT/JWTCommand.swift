import AgentProtocol
import ArgumentParser

struct JWTCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jwt",
        abstract: "Issue JWTs, and verify them as a relying party does.",
        subcommands: [JWTIssueCommand.self, JWTVerifyCommand.self])
}

struct JWTIssueCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "issue",
        abstract: "Have a JWT signed for a subject and one or more audiences.",
        discussion: """
            Prints the JWT by itself, also as tsv; as json with its kid, algorithm and expiry. The agent adds iss, iat, nbf, \
            exp and jti. One --audience makes aud a string, several make it an array.

            The value of a --claim is taken as JSON when it is JSON, and as a string otherwise: admin=true is a boolean, \
            level=3 a number, 'groups=["a","b"]' an array, team=core a string; write 'version="1.0"' for a string that looks \
            like a number.

            Examples:
              privyseal jwt issue demo --subject ci --audience https://api.example.com
              privyseal jwt issue demo --subject ci --audience a --audience b
              privyseal jwt issue demo --subject ci --audience a --lifetime 10m \\
                --claim 'groups=["build"]'
            """)

    @OptionGroup var issuer: IssuerArgument
    @Option(help: ArgumentHelp("The sub claim.", valueName: "subject"))
    var subject: String
    @Option(help: ArgumentHelp("The aud claim; repeat it for several.", valueName: "audience"))
    var audience: [String]
    @Option(
        help: ArgumentHelp("How long the JWT is valid; the issuer's lifetime unless given.", valueName: "duration"),
        transform: DurationArgument.parse)
    var lifetime: DurationArgument?
    @Option(
        help: ArgumentHelp("A further claim; repeat it for several.", valueName: "name=value"),
        transform: ClaimArgument.parse)
    var claim: [ClaimArgument] = []
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func validate() throws {
        var names: Set = ["sub", "aud"]
        if lifetime != nil { names.insert("exp") }
        for claim in claim where !names.insert(claim.name).inserted {
            throw ValidationError("The claim \(claim.name) is given twice, counting --subject, --audience and --lifetime.")
        }
    }

    /// The claims object, in the order of the command line.
    var claims: JSONValue {
        let aud: JSONValue = audience.count == 1 ? .string(audience[0]) : .array(audience.map { .string($0) })
        return .object(
            [JSONValue.Member("sub", .string(subject)), JSONValue.Member("aud", aud)]
                + claim.map { JSONValue.Member($0.name, $0.value) })
    }

    func run(on console: Console) async throws {
        let parameters = SignParameters(issuer: issuer.name, claims: claims, lifetimeSeconds: lifetime?.seconds)
        let reply = try await socket.withAgent(console) { agent in try await agent.call(parameters).tree }
        try output.print(reply, as: .bare("jwt"), on: console)
    }
}

/// `--claim name=value`. The name is all before the first `=`, dots and slashes included.
///
/// A value that is JSON is that JSON, anything else is a string: `admin=true` is a boolean, `level=3` a number, `team=core` a
/// string; a string that looks like JSON is written with its quotes, `version="1.0"`.
struct ClaimArgument: Equatable {
    let name: String
    let value: JSONValue

    /// For `@Option(transform:)`. What begins like an object, an array or a string and is none is refused: it is a slip of the
    /// pen, not a string.
    @Sendable static func parse(_ text: String) throws -> ClaimArgument {
        guard let separator = text.firstIndex(of: "="), separator != text.startIndex else {
            throw ValidationError("A claim is name=value.")
        }
        let value = text[text.index(after: separator)...]
        do {
            return ClaimArgument(name: String(text[..<separator]), value: try JSONValue(parsing: Array(value.utf8)))
        } catch {
            guard let first = value.first, "{[\"".contains(first) else {
                return ClaimArgument(name: String(text[..<separator]), value: .string(String(value)))
            }
            throw ValidationError("The value begins like JSON, but \(error.message).")
        }
    }
}
