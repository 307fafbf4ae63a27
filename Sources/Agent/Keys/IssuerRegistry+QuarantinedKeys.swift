import KeyLifecycle
import Logging

/// A key in quarantine that is to be destroyed, or would be.
struct QuarantinedKeyRevocation: Sendable {
    let key: QuarantinedKey
    let isDryRun: Bool
    /// Whose it is by its label, as the issuer is now; `nil` when there is none.
    let issuer: Issuer?
}

extension IssuerRegistry {
    /// A key in quarantine, by its kid or, since not every one has a kid, its `CKA_ID`. One that is published as well goes by
    /// its ring.
    func quarantinedKey(named text: String) -> QuarantinedKey? {
        guard (try? issuer(publishing: text)) == nil else { return nil }
        return obligations.quarantinedKey(named: text)
    }

    /// Whose key has this kid, published or in quarantine. Looks at every key, also when it has found the one: how long it takes
    /// says nothing of which there are.
    func issuerName(ofKey text: String) -> IssuerName? {
        let published = issuers.values.filter { $0.ring[text]?.state.isPublished == true }
        let kept = obligations.quarantined.filter { $0.kid == text || $0.keyID.description == text }
        return published.first?.name ?? kept.first?.issuer
    }

    /// Has a key in quarantine destroyed: nothing that is published changes.
    ///
    /// - Throws: `LifecycleError` with `.keyNotFound`, `.issuerQuarantined`; `StoreError`.
    func revoke(_ key: QuarantinedKey, dryRun: Bool) async throws -> QuarantinedKeyRevocation {
        try await queue.run(key.issuer) {
            try await self.requireServing(key.issuer)
            if !dryRun {
                guard await self.quarantinedKey(named: key.name) != nil else { throw LifecycleError.keyNotFound(key.name) }
                try await self.abandon(key.keyID, of: key.issuer, publicKey: key.publicKey)
                await self.enqueueFollowUp(key.issuer)
                self.log.notice(
                    "a key in quarantine is to be destroyed", metadata: ["issuer": "\(key.issuer)", "kid": "\(key.name)"])
            }
            return QuarantinedKeyRevocation(key: key, isDryRun: dryRun, issuer: await self.issuers[key.issuer])
        }
    }
}
