import Agent
import AgentSettings
import ArgumentParser
import DaemonKit
import EtcdStore
import Foundation
import IssuerStore
import KeyLifecycle

/// `privyseald recover`
struct RecoverCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Bring a lost or a restored store and its token together.",
        discussion: """
            --from-token rebuilds a store that is lost: the issuers from the labels of the keys on the token. --restored ends the \
            quarantine of a store that is older than its token, or a copy. Each issuer that differs gets a new active key; at \
            most one of its former keys, named with --retain, stays valid for the overlap; all others are kept on the token in \
            quarantine, unpublished, until "privyseal keys revoke". Where nothing differs, nothing changes.

            The key to retain is the one that signed last: the first in the JWKS that relying parties still have.

            With a store in etcd it is run on one machine and refuses while agents of others are there, unless --restored finds \
            that nothing differs; no agent starts before it has ended, and each takes the decision on at its next start.

            Examples:
              privyseald recover --restored --dry-run
              privyseald recover --restored --retain 3oVjnGYkyVmcYDCa1VZz2rNzJ8xLb4Y5n1kq7mXhQxY
              privyseald recover --from-token --issuer-url demo=https://oidc.example.com/t/u/ --retain KID
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Flag(help: "Rebuild a lost store from the token's keys.")
    var fromToken = false

    @Flag(help: "Decide about a restored store that is older than the token, or a copy.")
    var restored = false

    @Option(
        name: .long, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A key that comes back as retiring; at most one for each issuer.", valueName: "kid"))
    var retain: [String] = []

    @Option(
        name: .long, help: ArgumentHelp("Where the documents of a rebuilt issuer were served: its iss.", valueName: "name=url"))
    var issuerURL: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("What a rebuilt issuer signs with, where its keys leave a choice.", valueName: "name=algorithm"))
    var algorithm: [String] = []

    @Option(
        name: .long, help: ArgumentHelp("The lost store's deployment, when the token has keys of several.", valueName: "id"))
    var deployment: String?

    @OptionGroup var consent: Consent

    func validate() throws {
        guard fromToken != restored else { throw ValidationError("give either --from-token or --restored") }
        guard fromToken || deployment == nil else { throw ValidationError("--deployment goes with --from-token") }
    }

    func run(_ startup: Startup) async throws {
        let request = RecoveryRequest(
            retained: retain, urls: try pairs(issuerURL, "--issuer-url") { $0 },
            algorithms: try pairs(algorithm, "--algorithm", SignatureAlgorithm.init(rawValue:)))
        let place = startup.settings.store
        let lock = consent.dryRun ? nil : try StoreLock(place, making: fromToken, trusting: startup.settings.trusted)
        defer { lock?.hold() }
        if restored {
            try await OpenStore.with({ try await startup.openStore(use) }) { try await decide(request, $0, startup) }
        } else {
            try await rebuild(request, startup)
        }
    }

    private var use: StoreUse { consent.dryRun ? .reading : .recovering }

    private func decide(_ request: RecoveryRequest, _ store: any IssuerStorage, _ startup: Startup) async throws {
        try await OfflineAgent.with(
            startup.agentConfiguration(), store: store, environment: startup.agentEnvironment(), trustingRecords: true
        ) { agent in
            let plan = try await agent.planRecovery(request)
            let unsealed = try await agent.issuersWithoutSeal().map { name in
                "issuer \(name): its record carries no seal by this token; it is taken as it stands, settings and URLs included"
            }
            // What one machine has settled, another has still to take note of.
            if !plan.isEmpty, !consent.dryRun { try await store.requireNoOtherAgent(for: "recover") }
            let question =
                plan.isEmpty
                ? "The store is taken as it stands."
                : "JWTs by keys that end stop verifying, and nothing brings these keys back into service."
            guard try consent.isGiven(for: plan.lines + unsealed, question: question) else { return }
            // Of what both agree about nothing is decided.
            guard !plan.isEmpty else { return report(try await agent.recover(plan)) }
            report(try await store.alone(for: "recover") { try await agent.recover(plan) })
        }
    }

    private func rebuild(_ request: RecoveryRequest, _ startup: Startup) async throws {
        let own = try await emptyStore(startup)
        let survey = try await startup.survey()
        let deployment = try choose(survey, own: own)
        let plan = try survey.planRecovery(request, deployment: deployment, at: Startup.clock.wall())
        let question = "JWTs by keys that do not come back stop verifying."
        guard try consent.isGiven(for: ["deployment \(deployment)"] + plan.lines, question: question) else { return }
        try await OpenStore.with({ try await store(of: deployment, startup) }) { store in
            try await OfflineAgent.with(
                startup.agentConfiguration(), store: store, environment: startup.agentEnvironment(), trustingRecords: true
            ) { agent in
                report(try await store.alone(for: "recover") { try await agent.recover(agent.planRecovery(request)) })
            }
        }
    }

    /// The deployment of a store that is there and holds no issuer; `nil` where there is none.
    ///
    /// - Throws: `StartupFailure` for one that holds any.
    private func emptyStore(_ startup: Startup) async throws -> String? {
        let place = startup.settings.store
        if case .sqlite(let path) = place, !FileManager.default.fileExists(atPath: path) { return nil }
        do {
            return try await OpenStore.with({ try await startup.openStore(use) }) { store in
                let count = try await store.contents().issuers.count
                guard count == 0 else {
                    throw StartupFailure(
                        what: "the store \(place) holds \(count) issuers: it is not lost",
                        todo: "for one that is older than the token: privyseald recover --restored")
                }
                if !consent.dryRun { try await store.requireNoOtherAgent(for: "recover") }
                return store.deployment.id
            }
        } catch let error as StoreError where error.code == .missing {
            return nil
        }
    }

    /// A store of this deployment: the empty one that is there under whatever name, or a new one.
    private func store(of deployment: String, _ startup: Startup) async throws -> OpenStore {
        let made = try await startup.makeStore(deployment: deployment, use: .recovering)
        guard made.storage.deployment.id != deployment else { return made }
        if let store = made.storage as? SQLiteIssuerStore {
            return OpenStore(try await store.takingOver(deployment: deployment))
        }
        do {
            try await (made.storage as? EtcdIssuerStore)?.takeOver(deployment: deployment)
            await made.close()
        } catch {
            await made.close()
            throw error
        }
        return try await startup.openStore(use: .recovering)
    }

    /// The deployment whose keys the token has; named, where it has those of several.
    private func choose(_ survey: TokenSurvey, own: String?) throws(StartupFailure) -> String {
        let found = survey.deployments
        let wanted = deployment ?? own.flatMap { found[$0] == nil ? nil : $0 } ?? (found.count == 1 ? found.keys.first : nil)
        if let wanted, found[wanted] != nil { return wanted }
        let names = found.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value) keys)" }.joined(separator: ", ")
        if found.isEmpty {
            throw StartupFailure(
                what: "the token \(survey.token) has no key of a PrivySeal deployment",
                todo: "check that it is the right token; where nothing was lost, make a store: privyseald init")
        }
        throw StartupFailure(
            what: wanted.map { "the token \(survey.token) has no key of the deployment \($0)" }
                ?? "the token \(survey.token) has keys of several deployments",
            todo: "name one with --deployment: \(names)")
    }

    private func report(_ renewed: [RenewedIssuer]) {
        for issuer in renewed { print("done: issuer \(issuer.name) signs with \(issuer.activeKid)") }
        print(renewed.isEmpty ? "done: the store counts as it stands" : "done: start the agent again")
    }

    private func pairs<Value>(
        _ arguments: [String], _ option: String, _ value: (String) -> Value?
    ) throws(StartupFailure) -> [IssuerName: Value] {
        var pairs: [IssuerName: Value] = [:]
        for argument in arguments {
            let parts = argument.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let name = IssuerName(String(parts[0])), let value = value(String(parts[1])),
                pairs.updateValue(value, forKey: name) == nil
            else {
                throw StartupFailure(
                    what: "\(option) \(argument) is not understood", todo: "give an issuer once, as in \(option) demo=...")
            }
        }
        return pairs
    }
}
