import AgentProtocol
import KeyLifecycle
import Logging

extension IssuerRegistry {
    /// A key in quarantine, by its kid or, since not every one has a kid, its `CKA_ID`. One that is published as well goes by
    /// its ring.
    func quarantinedKey(named text: String) -> QuarantinedKey? {
        guard (try? issuer(publishing: text)) == nil else { return nil }
        return quarantinedKeys.first { $0.kid == text || $0.keyID.description == text }
    }

    /// Whose key has this kid, published or in quarantine. Looks at every key, also when it has found the one: how long it takes
    /// says nothing of which there are.
    func issuerName(ofKey text: String) -> IssuerName? {
        let published = issuers.values.filter { $0.ring[text]?.state.isPublished == true }
        let kept = quarantinedKeys.filter { $0.kid == text || $0.keyID.description == text }
        return published.first?.name ?? kept.first?.issuer
    }

    /// Has a key in quarantine destroyed: nothing that is published changes.
    ///
    /// - Throws: `LifecycleError` with `.keyNotFound`, `.issuerQuarantined`; `StoreError`.
    func revoke(_ key: QuarantinedKey, dryRun: Bool) async throws -> RotationResult {
        try await queue.run(key.issuer) {
            try await self.requireServing(key.issuer)
            if !dryRun {
                guard await self.quarantinedKey(named: key.name) != nil else { throw LifecycleError.keyNotFound(key.name) }
                try await self.abandon(key.keyID, of: key.issuer, publicKey: key.publicKey)
                await self.enqueueFollowUp(key.issuer)
                self.log.notice(
                    "a key in quarantine is to be destroyed", metadata: ["issuer": "\(key.issuer)", "kid": "\(key.name)"])
            }
            return await self.result(ofRevoking: key, dryRun: dryRun)
        }
    }

    private func result(ofRevoking key: QuarantinedKey, dryRun: Bool) -> RotationResult {
        let issuer = issuers[key.issuer]
        let generation = issuer?.generation ?? 0
        let retiring = issuer?.ring.retiring.flatMap { retiring in
            retiring.expiresAt.map { RetiringKeyView(kid: retiring.kid, expiresAt: WireTime($0)) }
        }
        return RotationResult(
            issuer: key.issuer.text, dryRun: dryRun,
            plan: RotationPlanView(
                generation: generation, incoming: nil, retiring: retiring, revoked: [key.name], standbyFollows: false),
            activeKid: issuer?.ring.active?.kid ?? "", generation: generation, publication: nil, exposureSeconds: 0,
            warnings: ["the key was in quarantine: nothing that is published changes, its private key is destroyed"])
    }
}
