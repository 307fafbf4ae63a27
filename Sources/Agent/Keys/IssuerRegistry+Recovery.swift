import IssuerStore
public import KeyLifecycle
import Logging

/// An issuer with the key that signs from now on.
public struct RenewedIssuer: Hashable, Sendable {
    public let name: IssuerName
    public let activeKid: String
}

/// What an operator decides while no agent runs.
extension IssuerRegistry {
    func planRecovery(_ request: RecoveryRequest) async throws -> RecoveryPlan {
        try await RecoveryPlan(request, planReconciliation(), issuers: allIssuers, at: clock.wall())
    }

    func planTokenReplacement() async throws -> TokenReplacementPlan {
        try await TokenReplacementPlan(planReconciliation(), issuers: allIssuers, at: clock.wall())
    }

    /// - Throws: `AuditError`, `HSMError`, `StoreError`; then the store is as it was, and keys that were generated are left to be destroyed.
    func recover(_ plan: RecoveryPlan) async throws -> [RenewedIssuer] {
        try await renew(plan.parts.map { ($0.name, $0.settings.keySpecification) }, lostAt: nil) { place, key, moment in
            let part = plan.parts[place]
            return try part.change(with: key, former: self.formerGenerations[part.name] ?? 0, at: moment)
        }
    }

    /// - Throws: as above.
    func replaceToken(_ plan: TokenReplacementPlan) async throws -> [RenewedIssuer] {
        try await renew(plan.issuers.map { ($0.name, $0.settings.keySpecification) }, lostAt: clock.wall()) {
            place, key, moment in
            try plan.issuers[place].replacingToken(with: key, at: moment)
        }
    }

    /// Generates a key for each issuer, then commits all of them at once: a crash leaves the store as it was, with intents.
    private func renew(
        _ issuers: [(name: IssuerName, specification: KeySpecification)], lostAt: Timestamp?,
        _ change: (Int, GeneratedKey, Timestamp) throws -> IssuerChange
    ) async throws -> [RenewedIssuer] {
        var keys: [GeneratedKey] = []
        do {
            for (name, specification) in issuers { keys.append(try await makeKey(for: name, specification)) }
            let moment = clock.wall()
            let changes = try keys.enumerated().map { place, key in
                (change: try change(place, key, moment), fulfilling: [key.keyID])
            }
            let settlement = Settlement(changes: changes, token: custody.tokenIdentity, lostAt: lostAt)
            if isStoreShared { try await journal.begin(AuditChange(.settling)) }
            try await noting { try await store.settle(settlement) }
            if isStoreShared {
                for (change, _) in changes { journal.end(AuditChange(change, before: self.issuers[change.name]).at(.made)) }
            }
        } catch {
            for (key, issuer) in zip(keys, issuers) { await settle(key.keyID, of: issuer.name) }
            throw error
        }
        for key in keys { obligations.endGeneration(key.keyID) }
        return zip(issuers, keys).map { RenewedIssuer(name: $0.name, activeKid: $1.kid) }
    }
}
