import AgentProtocol
import ArgumentParser

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "What may have to be done about the agent's store.", subcommands: [StoreSaveCommand.self])
}

struct StoreSaveCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        abstract: "Have the agent write its store anew, after the file was removed or replaced under it.",
        discussion: """
            An agent whose store is not where it was opened refuses changes and signs on; `privyseal health` says so. It still has \
            everything that was in the store. This writes it to a new file at the configured path, and changes are possible again.

            It replaces nothing: what is at the path, or beside it with -wal or -shm at its end, has to be moved away first. For a \
            copy of a store that is in its place, see `privyseald backup`.

            Example:
              privyseal store save
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func run(on console: Console) async throws {
        let reply = try await socket.withAgent(console) { agent in try await agent.call(StoreSaveParameters()) }
        let result = try reply.decoded()
        console.warn(result.warnings)
        let text =
            result.path.map { "wrote the store to \(Layout.printable($0))\n" }
            ?? "the store is where it belongs: nothing was done\n"
        try output.print(reply.tree, as: .text { _ in text }, on: console)
    }
}
