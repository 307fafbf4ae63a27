import AgentProtocol
import ArgumentParser

struct IssuerUpdateCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Change an issuer's settings, enable or disable its OIDC profile.",
        discussion: """
            Changes what is given and leaves the rest. Prints the issuer as `issuer show` does.

            Enabling the profile mints a fresh URL, disabling goes back to the default issuer, and --new-issuer-url mints \
            another URL for a profile that is enabled, as after a change of publicBaseURL: each changes the iss of every new JWT. Relying parties must be told the new issuer, and workloads may need a restart to get new JWTs. \
            JWTs issued before keep verifying until the overlap has passed, unless --immediately is given. A change of iss \
            is asked about first; --yes answers for you.

            A new algorithm signs from the next rotation on. Relying parties that read the discovery document's algorithms only \
            when they start (go-oidc v3) refuse it until they are restarted: update, restart them, then rotate.

            Examples:
              privyseal issuer update demo --enable-oidc-issuer
              privyseal issuer update demo --new-issuer-url
              privyseal issuer update demo --max-lifetime 2h --rotate-every 30d
              privyseal issuer update demo --rotate-every off --if-generation 7
            """)

    enum ProfileChange: EnumerableFlag {
        case enable, disable, renew

        static func name(for value: ProfileChange) -> NameSpecification {
            switch value {
            case .enable: .customLong("enable-oidc-issuer")
            case .disable: .customLong("disable-oidc-issuer")
            case .renew: .customLong("new-issuer-url")
            }
        }

        static func help(for value: ProfileChange) -> ArgumentHelp? {
            switch value {
            case .enable: "Mint a fresh URL; it is the iss from then on."
            case .disable: "Go back to the default issuer as the iss."
            case .renew: "Mint another URL in place of the present one, under the publicBaseURL in force."
            }
        }
    }

    @OptionGroup var issuer: IssuerArgument
    @Flag(exclusivity: .exclusive)
    var profile: ProfileChange?
    @Flag(help: "Drop the issuer's former URL at once: JWTs issued under it stop verifying.")
    var immediately = false
    @Option(
        help: ArgumentHelp("Change nothing unless the issuer is at this generation.", valueName: "generation"))
    var ifGeneration: Int?
    @OptionGroup var confirmation: Confirmation
    @OptionGroup(title: "Settings") var settings: IssuerSettingsOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func validate() throws {
        guard profile != nil || !settings.patch.isEmpty else { throw ValidationError("There is nothing to change.") }
        guard profile != nil || !immediately else {
            throw ValidationError("--immediately goes with --enable-oidc-issuer, --disable-oidc-issuer or --new-issuer-url.")
        }
    }

    func run(on console: Console) async throws {
        let reply = try await socket.withAgent(console) { agent in
            let status = try await confirmedStatus(agent, console)
            guard let status, ifGeneration == nil else {
                return try await agent.call(parameters(ifGeneration: ifGeneration)).tree
            }
            return try await agent.callConfirmed(status, question: { change(of: $0)?.consequences }) { generation in
                parameters(ifGeneration: generation)
            }.tree
        }
        try output.print(issuerChange: reply, on: console)
    }

    /// Asks about a change of iss, and returns what the answer holds for; nil when iss stays as it is.
    private func confirmedStatus(_ agent: any AgentSession, _ console: Console) async throws -> IssuerStatus? {
        guard profile != nil || settings.defaultIssuer != nil else { return nil }
        let status = try await agent.call(IssuerStatusParameters(issuer: issuer.name)).decoded()
        guard let change = change(of: status) else { return nil }
        try confirmation.ask(change.consequences, on: console)
        return status
    }

    private func change(of status: IssuerStatus) -> IssChange? {
        IssChange(of: status, profile, immediately: immediately, settings.defaultIssuer)
    }

    private var enableOIDCIssuer: Bool? {
        switch profile {
        case .enable: true
        case .disable: false
        case .renew, nil: nil
        }
    }

    private func parameters(ifGeneration: Int?) -> IssuerUpdateParameters {
        IssuerUpdateParameters(
            issuer: issuer.name, enableOIDCIssuer: enableOIDCIssuer, newIssuerURL: profile == .renew ? true : nil,
            immediately: immediately ? true : nil, ifGeneration: ifGeneration, settings: settings.patch)
    }
}
