import AgentSettings
import ArgumentParser
import DaemonKit
import EtcdStore
import IssuerStore

/// `privyseald token pin-corrected`
struct TokenPINCorrectedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin-corrected",
        abstract: "Say that a PIN the token refused has been corrected.",
        discussion: """
            An agent remembers in its store, or beside it, that the token refused a PIN, and does not send it again. For a PIN in a file it \
            sees by itself that the file has changed. A credential or an environment variable says nothing of that: correct \
            it, stop the agent if it runs, run this command, and start it again.
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    func run() async throws {
        do {
            let settings = try Settings(path: config)
            // A running agent would note the refusal again.
            let lock = try StoreLock(settings.store, trusting: settings.trusted)
            defer { lock.hold() }
            guard let refused = try await forgotten(settings) else {
                print("no PIN has been refused")
                return
            }
            print("forgot that the token refused the PIN (\(refused.returnValue)): the agent sends it once at its next start")
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    private func forgotten(_ settings: Settings) async throws -> RefusedPIN? {
        switch settings.store {
        case .sqlite(let path):
            let store = try SQLiteIssuerStore(
                path: path, tenant: settings.tenant, minted: nil, trusting: settings.trusted)
            guard let refused = try await store.refusedPIN() else { return nil }
            try await store.setRefusedPIN(nil)
            return refused
        case .etcd(let etcd):
            return try await EtcdIssuerStore.forgetRefusedPIN(memory: etcd.memory, trusting: settings.trusted)
        }
    }
}
