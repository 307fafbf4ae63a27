import AgentProtocol
import ArgumentParser

struct SignCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Have a claims object signed as a JWT.",
        discussion: """
            For claims that are already JSON; `jwt issue` puts them together from options. The object must hold aud; iss, iat, \
            nbf, exp and jti are added where absent. Prints the JWT by itself, also as tsv; as json with its kid, algorithm and \
            expiry.

            Examples:
              privyseal sign demo --claims claims.json
              echo '{"sub":"ci","aud":"api"}' | privyseal sign demo --claims -
            """)

    @OptionGroup var issuer: IssuerArgument
    @Option(
        help: ArgumentHelp("A file with a JSON object, or - for standard input.", valueName: "file"), completion: .file())
    var claims: String
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let parameters = SignParameters(issuer: issuer.name, claims: try claimsObject(console))
        let reply = try await socket.withAgent(console) { agent in try await agent.call(parameters).tree }
        try output.print(reply, as: .bare("jwt"), on: console)
    }

    private func claimsObject(_ console: Console) throws -> JSONValue {
        let source = claims == "-" ? "standard input" : claims
        let value: JSONValue
        do {
            value = try JSONValue(parsing: try console.read(claims))
        } catch let error as JSONError {
            throw Failure(.failed, "\(source) cannot be used: \(error.message)", hint: "give one JSON object")
        }
        guard value.members != nil else {
            throw Failure(.failed, "\(source) holds JSON that is no object", hint: "give one JSON object")
        }
        return value
    }
}
