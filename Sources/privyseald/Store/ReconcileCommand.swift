import Agent
import AgentProtocol
import AgentSettings
import ArgumentParser
import DaemonKit

/// `privyseald reconcile`
struct ReconcileCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Bring token and store together, or say what that would do.",
        discussion: """
            Finishes what a crash has left between store and token, and reports what they do not agree about. It destroys only \
            keys that the store has noted as to be destroyed, and only on a token that shows keys of the store.

            The agent does the same at each start, and for "privyseal reconcile". Beside a running agent this is a dry run only.
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Flag(help: "Say what would be done and change nothing.")
    var dryRun = false

    func run(_ startup: Startup) async throws {
        let lock = try lock(startup)
        defer { lock?.hold() }
        // Beside an agent the store is only read.
        let store = dryRun ? try startup.readStore() : try startup.openStore()
        let result = try await OfflineAgent.with(
            startup.agentConfiguration(), store: store, environment: startup.agentEnvironment()
        ) { agent in try await agent.reconcile(dryRun: dryRun) }
        for line in result.lines { print(line) }
        if result.actions.contains(where: { $0.error != nil }) { throw ExitCode(1) }
    }

    private func lock(_ startup: Startup) throws -> StoreLock? {
        guard !dryRun else { return nil }
        do {
            return try StoreLock(store: startup.settings.store, trusting: startup.settings.trusted)
        } catch let error as StoreInUse {
            throw StartupFailure(
                what: "the store \(error.store) is in use: \(error.holder)",
                todo: "ask the running agent with: privyseal reconcile; or add --dry-run")
        }
    }
}
