import AgentProtocol
import ArgumentParser

struct CallCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Call a method of the agent's protocol as it is.",
        discussion: """
            For what has no command of its own, and for trying the protocol out; protocol.md describes every method. The params \
            are sent unchanged, nothing is asked, and the result is printed as json unless -o says otherwise. Of watch it prints \
            the snapshot.

            Examples:
              privyseal call health
              privyseal call metrics --query text -o tsv
              privyseal call list-keys '{"issuer":"demo","limit":10}'
              privyseal call sign - < params.json
            """)

    @Argument(help: "The method's name, as in issuer-status.")
    var method: String
    @Argument(help: "The params as a JSON object, or - for standard input.")
    var params: String?
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let params = try params.map { try Self.parse($0 == "-" ? try console.readInput() : Array($0.utf8)) }
        let result = try await socket.withAgent(console) { agent in
            try await agent.call(AgentProtocol.Method(rawValue: method), params)
        }
        try output.print(result, as: .generic, default: .json, on: console)
    }

    private static func parse(_ text: [UInt8]) throws -> JSONValue {
        do {
            return try JSONValue(parsing: text)
        } catch {
            throw ValidationError("The params are not JSON: \(error.message).")
        }
    }
}
