import IssuerStore
public import KeyLifecycle

/// What a token shows to somebody who has no store.
public struct TokenSurvey: Sendable {
    private let inventory: TokenInventory

    /// Logs in to the token, looks at it, and finalises the module.
    ///
    /// - Throws: `HSMError`.
    public static func of(
        _ configuration: AgentConfiguration, environment: AgentEnvironment
    ) async throws -> TokenSurvey {
        var configuration = configuration
        configuration.hsm.sessions = 1
        let hsm = try await PINWatch.logIn(configuration, store: nil, environment)
        do {
            let survey = TokenSurvey(inventory: try await hsm.custody.inventory(knowing: []))
            try await hsm.end()
            return survey
        } catch {
            try await hsm.end()
            throw error
        }
    }

    /// The token, by label and serial number.
    public var token: String { "\(inventory.token)" }

    /// Private keys by the deployment that their label names: the stores whose token this could be.
    public var deployments: [String: Int] {
        inventory.entries.values.reduce(into: [:]) { counts, entry in
            guard let label = entry.label, entry.privateKeys > 0 else { return }
            counts[label.deployment, default: 0] += 1
        }
    }

    /// How the lost store of a deployment would be made anew.
    ///
    /// - Throws: `RecoveryRefusal`.
    public func planRecovery(
        _ request: RecoveryRequest, deployment: String, at moment: Timestamp
    ) throws -> RecoveryPlan {
        let empty = StoreContents(issuers: [], intents: [], destructions: [], lastChange: nil)
        let state = ReconciliationPlan(inventory, empty, recognised: [], deployment: deployment, at: moment)
        return try RecoveryPlan(request, state, issuers: [], at: moment)
    }
}
