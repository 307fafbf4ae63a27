import Agent
import AgentSettings
import ArgumentParser
import DaemonKit
import EtcdStore
import Foundation
import IssuerStore
import Platform

/// `privyseald store`
struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Move the store to another place.", subcommands: [StoreMoveCommand.self])
}

/// `privyseald store move`
struct StoreMoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move",
        abstract: "Move the store from a file to etcd, or back.",
        discussion: """
            --config names the configuration that the agent has now, and --target one with the store that it is to have: a copy of \
            the first, with another store section. The agent is stopped, and so is every other agent that shares the store.

            Everything comes over: deployment and tenant, issuers with their generations, keys and what became of each, what has \
            been begun on the token. The store that was left stays where it is and says where it went: no agent starts on it. \
            Whenever the command is cut off, running it again goes on, and until it has ended no agent starts on either.

            Examples:
              privyseald store move --to etcd --config /etc/privyseal/agent.yaml --target /etc/privyseal/agent-etcd.yaml --dry-run
              privyseald store move --to sqlite --config /etc/privyseal/agent.yaml --target /etc/privyseal/agent-alone.yaml
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case etcd, sqlite
    }

    @Option(name: .long, help: "The kind of store that it is to be: that of --target.")
    var to: Kind

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file, with the store it has.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Option(name: .long, help: ArgumentHelp("A configuration file with the store it is to have.", valueName: "file"))
    var target: String

    @OptionGroup var consent: Consent

    func run() async throws {
        do {
            try await move()
        } catch let code as ExitCode {
            throw code
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    private func move() async throws {
        let (source, destination) = (try Settings(path: config), try Settings(path: target))
        guard destination.store.kind == to else {
            throw StartupFailure(
                what: "the store of \(target) is \(destination.store), which is not what --to \(to.rawValue) says",
                todo: "name the configuration that has the store to move to", exitCode: 64)
        }
        let others = destination.sectionsThatDiffer(from: source).filter { !$0.hasPrefix("store") && $0 != "audit" }
        if !others.isEmpty {
            print("note: \(target) differs from \(config) in more than the store: \(others.joined(separator: ", "))")
        }
        let locks =
            consent.dryRun
            ? []
            : [
                try StoreLock(source.store, trusting: source.trusted),
                try StoreLock(destination.store, making: true, trusting: destination.trusted),
            ]
        defer { for lock in locks { lock.hold() } }
        try await source.withMovableStore(isReadOnly: consent.dryRun) { from in
            try await destination.withMovableStore(isReadOnly: consent.dryRun) { to in try await move(from, to) }
        }
    }

    private func move(_ source: any MovableStore, _ target: any MovableStore) async throws {
        let move = try await StoreMove(from: source, to: target)
        guard move.finding != .nothing else {
            print("the store \(move.places.source) has been moved to \(move.places.target) already")
            return sayWhatToDo(move)
        }
        for store in [source, target] {
            guard !consent.dryRun, let store = try await (store as? EtcdMovableStore)?.store() else { continue }
            try await store.requireNoOtherAgent(for: "store move")
        }
        let question = "\(move.places.source) does not count any more then, and agents start on \(move.places.target) alone."
        guard try consent.isGiven(for: plan(move), question: question) else { return }
        try await move.run()
        print("done: the store \(move.places.source) has been moved to \(move.places.target)")
        if to == .etcd { await seal() }
        sayWhatToDo(move)
    }

    /// Has the records sealed where they are now: on a token that has sealed others of this deployment before, they would be taken for
    /// somebody else's.
    private func seal() async {
        do {
            let startup = try Startup(configuration: target)
            try await OpenStore.with({ try await startup.openStore() }) { store in
                try await OfflineAgent.with(
                    startup.agentConfiguration(), store: store, environment: startup.agentEnvironment(), trustingRecords: true
                ) { agent in try await agent.sealRecords() }
            }
        } catch {
            let failure = (error as? StartupFailure) ?? StartupFailure(mapping: error)
            print("note: its records are not sealed: \(failure.what)")
            print("      if the agent then does not believe them: privyseald recover --restored")
        }
    }

    private func plan(_ move: StoreMove) -> [String] {
        let begun =
            switch move.finding {
            case .goOn: "goes on with a move that was cut off: what is there already is compared"
            case .end: "goes on with a move that was cut off: everything has been copied, and the target is still to count"
            case .begin, .nothing: "keeps \(move.places.source) as it is, marked as moved"
            }
        return [
            "moves deployment \(move.export.deployment.id) from \(move.places.source) to \(move.places.target)",
            move.export.summary,
            begun,
        ]
    }

    private func sayWhatToDo(_ move: StoreMove) {
        print("put the store section of \(target) into \(config), then start the agent")
    }
}

extension StoreSetting {
    fileprivate var kind: StoreMoveCommand.Kind {
        switch self {
        case .sqlite: .sqlite
        case .etcd: .etcd
        }
    }
}

extension Settings {
    /// Calls with the place where the store is or is to be.
    fileprivate func withMovableStore(
        isReadOnly: Bool, _ body: (any MovableStore) async throws -> Void
    ) async throws {
        switch store {
        case .sqlite(let path):
            try await body(SQLiteMovableStore(path: path, trusting: trusted))
        case .etcd(let etcd):
            let gateway = try etcd.gateway()
            do {
                // So that the cluster is known, which is a part of the place.
                _ = try await gateway.check()
                try await body(
                    EtcdMovableStore(
                        gateway, prefix: etcd.prefix, user: etcd.user(trusting: trusted), reading: isReadOnly))
                await gateway.close()
            } catch {
                await gateway.close()
                throw error
            }
        }
    }
}
