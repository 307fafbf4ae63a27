import AgentProtocol
import ArgumentParser

struct ReconcileCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Bring the agent's store and its HSM token together, or say how they stand to each other.",
        discussion: """
            The agent does this at each start; this has a running one do it again. It finishes key generations and destructions \
            that were cut off, and reports what store and token do not agree about: keys that one of them lacks, keys in \
            quarantine, issuers that wait for an operator's decision. It destroys only what the store has noted as to be \
            destroyed.

            The exit code is 1 when a step could not be carried out.

            Examples:
              privyseal reconcile --dry-run
              privyseal reconcile --dry-run --query findings -o json
            """)

    @Flag(help: "Say what would be done and change nothing.")
    var dryRun = false
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let reply = try await socket.withAgent(console) { agent in
            try await agent.call(ReconcileParameters(dryRun: dryRun ? true : nil))
        }
        let result = try reply.decoded()
        console.warn(result.warnings)
        let text = result.lines.map { Layout.printable($0) + "\n" }.joined()
        try output.print(reply.tree, as: .text { _ in text }, on: console)
        guard result.actions.allSatisfy({ $0.error == nil }) else { throw Failure(.failed, nil) }
    }
}
