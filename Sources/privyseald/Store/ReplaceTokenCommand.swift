import Agent
import AgentSettings
import ArgumentParser
import IssuerStore

/// `privyseald replace-token`
struct ReplaceTokenCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "replace-token",
        abstract: "Move every issuer to another token, when theirs is gone for good.",
        discussion: """
            The configuration names the new token, prepared with "privyseald token init". Each issuer gets a new active key there. \
            What its old active key signed stays valid for the overlap: its public half goes on being published as retiring, and \
            its private half counts as gone. A key that was retiring already is revoked, as by a second rotation.

            It refuses while the agent runs, or another one that shares the store, and on a token that shows keys of the store: that one is not lost.

            Example:
              privyseald replace-token --config /etc/privyseal/agent.yaml --dry-run
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @OptionGroup var consent: Consent

    func run(_ startup: Startup) async throws {
        let lock = consent.dryRun ? nil : try StoreLock(startup.settings.store, trusting: startup.settings.trusted)
        defer { lock?.hold() }
        try await OpenStore.with({ try await startup.openStore(consent.dryRun ? .reading : .recovering) }) { store in
            if !consent.dryRun { try await store.requireNoOtherAgent(for: "replace-token") }
            try await replace(store, startup)
        }
    }

    private func replace(_ store: any IssuerStorage, _ startup: Startup) async throws {
        try await OfflineAgent.with(
            startup.agentConfiguration(), store: store, environment: startup.agentEnvironment(), trustingRecords: true
        ) { agent in
            let plan = try await agent.planTokenReplacement()
            let question = "The old token counts as destroyed from then on, and there is no way back to it."
            guard try consent.isGiven(for: plan.lines, question: question) else { return }
            for issuer in try await store.alone(for: "replace-token", { try await agent.replaceToken(plan) }) {
                print("done: issuer \(issuer.name) signs with \(issuer.activeKid)")
            }
            print("done: start the agent on the new token")
        }
    }
}
