import Agent
import AgentSettings
import ArgumentParser
import IssuerStore

/// `privyseald backup`
struct Backup: OperatorCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy the store while the agent runs.",
        discussion: """
            The copy holds public keys and settings; the private keys stay in the token, whose own backup is the vendor's \
            business. An agent that is started on a copy keeps every issuer in quarantine until "privyseald recover --restored": \
            the original may have moved on since.

            Example:
              privyseald backup --to /var/backups/privyseal-$(date +%F).db
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Option(name: .long, help: ArgumentHelp("The copy: a file that does not exist yet.", valueName: "file"))
    var to: String

    func run(_ startup: Startup) async throws {
        let store = startup.settings.store
        try SQLiteIssuerStore.copy(store, to: to, at: Startup.clock.wall(), trusting: startup.settings.trusted)
        print("copied the store \(store) to \(to)")
    }
}
