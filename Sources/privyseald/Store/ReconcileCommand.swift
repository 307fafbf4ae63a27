import Agent
import AgentProtocol
import AgentSettings
import ArgumentParser
import DaemonKit
import IssuerStore

/// `privyseald reconcile`
struct ReconcileCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Bring token and store together, or say what that would do.",
        discussion: """
            Finishes what a crash has left between store and token, and reports what they do not agree about. It destroys only \
            keys that the store has noted as to be destroyed, and only on a token that shows keys of the store.

            The agent does the same at each start, and for "privyseal reconcile". Beside a running agent this is a dry run only, \
            also where that is an agent of another machine that shares a store in etcd: ask that one instead.
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Flag(help: "Say what would be done and change nothing.")
    var dryRun = false

    func run(_ startup: Startup) async throws {
        let lock = try lock(startup)
        defer { lock?.hold() }
        // Beside an agent the store is only read.
        let result = try await OpenStore.with({ try await startup.openStore(dryRun ? .reading : .changing) }) { store in
            if !dryRun { try await requireNoOtherAgent(store) }
            return try await OfflineAgent.with(
                startup.agentConfiguration(), store: store, environment: startup.agentEnvironment()
            ) { agent in try await agent.reconcile(dryRun: dryRun) }
        }
        for line in result.lines { print(line) }
        if result.actions.contains(where: { $0.error != nil }) { throw ExitCode(1) }
    }

    private func requireNoOtherAgent(_ store: any IssuerStorage) async throws {
        do {
            try await store.requireNoOtherAgent(for: "reconcile")
        } catch let error as StartupFailure {
            throw StartupFailure(what: error.what, todo: "ask a running agent with: privyseal reconcile; or add --dry-run")
        }
    }

    private func lock(_ startup: Startup) throws -> StoreLock? {
        guard !dryRun else { return nil }
        do {
            return try StoreLock(startup.settings.store, trusting: startup.settings.trusted)
        } catch let error as StoreInUse {
            throw StartupFailure(
                what: "\(error.what) is in use: \(error.holder)",
                todo: "ask the running agent with: privyseal reconcile; or add --dry-run")
        }
    }
}
