import Agent
import AgentSettings
import ArgumentParser
import DaemonKit
import EtcdStore
import Foundation
import IssuerStore
import Platform

/// `privyseald init`
struct InitializeCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the store of a new deployment.",
        discussion: """
            Once, before the agent is started for the first time, and as the user that will run it: a store that is not there \
            later has been lost or is not mounted, and "serve" does not make another in its place.

            Looks at the token first, which the configuration has to lead to. A token that has keys of another deployment is \
            refused, since they may be those of a store that was lost; --share-token says that the other one is in use.

            A store in etcd is made once for all the agents that share it, on one of their machines; the others just start.

            Example:
              privyseald init --config /etc/privyseal/agent.yaml
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Flag(help: "Share the token with the other deployments that have keys on it.")
    var shareToken = false

    func run(_ startup: Startup) async throws {
        let place = startup.settings.store
        let lock = try StoreLock(place, making: true, trusting: startup.settings.trusted)
        defer { lock.hold() }
        if let deployment = try await existing(startup) {
            throw StartupFailure(
                what: "the store \(place) is there already, of deployment \(deployment); nothing was changed",
                todo: "start the agent")
        }
        let survey = try await startup.survey()
        let others = survey.deployments.sorted { $0.key < $1.key }
        guard others.isEmpty || shareToken else {
            throw StartupFailure(
                what: "the token \(survey.token) has keys of another deployment: "
                    + others.map { "\($0.key) (\($0.value))" }.joined(separator: ", "),
                todo: "if its store was lost: privyseald recover --from-token; if it is in use, and both are to share the token: "
                    + "--share-token")
        }
        try await OpenStore.with({ try await startup.makeStore() }) { store in
            print("made the store \(place) of deployment \(store.deployment.id), for the token \(survey.token)")
        }
    }

    /// The deployment whose store is there; `nil` when there is none.
    private func existing(_ startup: Startup) async throws -> String? {
        if case .sqlite(let path) = startup.settings.store, !FileManager.default.fileExists(atPath: path) { return nil }
        do {
            return try await OpenStore.with({ try await startup.openStore() }) { $0.deployment.id }
        } catch let error as StoreError where error.code == .missing {
            return nil
        }
    }
}

/// `privyseald backup`
struct BackupCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the store while the agent runs.",
        discussion: """
            The copy holds public keys and settings; the private keys stay in the token, whose own backup is the vendor's \
            business. An agent that is started on a copy keeps every issuer in quarantine until "privyseald recover --restored": \
            the original may have moved on since.

            The copy of a store in etcd is a file as well, of everything as of one moment. "privyseald store move --to etcd" brings \
            it back.

            Example:
              privyseald backup --to /var/backups/privyseal-$(date +%F).db
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Option(name: .long, help: ArgumentHelp("The copy: a file that does not exist yet.", valueName: "file"))
    var to: String

    func run(_ startup: Startup) async throws {
        let settings = startup.settings
        switch settings.store {
        case .sqlite(let path):
            try SQLiteIssuerStore.copy(path, to: to, at: Startup.clock.wall(), trusting: settings.trusted)
        case .etcd:
            try await OpenStore.with({ try await startup.readStore() }) { store in
                guard let store = store as? EtcdIssuerStore else { return }
                try await SQLiteIssuerStore.make(
                    of: store.export(), at: to, copiedAt: Startup.clock.wall(), trusting: settings.trusted)
            }
        }
        print("copied the store \(settings.store) to \(to)")
    }
}
