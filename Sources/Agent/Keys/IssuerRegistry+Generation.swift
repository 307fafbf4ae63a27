import IssuerStore
import KeyLifecycle
import Logging
import Platform

extension IssuerRegistry {
    /// Seconds before work on the token that failed is tried again.
    private static let retryInterval: Int64 = 15

    /// Generates a key pair for an issuer: intent first, so that the pair is recognised whatever happens next.
    ///
    /// - Throws: `HSMError`, `StoreError`. The pair, should it exist all the same, is left to be destroyed.
    func generateKey(for issuer: IssuerName, _ specification: KeySpecification) async throws -> GeneratedKey {
        if !mayTouchToken { try await proveToken() }
        guard mayTouchToken else {
            throw HSMError(
                .unavailable, "the token shows none of the keys in the store", hint: "check that it is the right token")
        }
        try await custody.requireMechanisms(for: specification)
        // 16 bytes are what a KeyID takes.
        let keyID = KeyID(SystemRandom.bytes(KeyID.length))!
        try await noting {
            try await store.record(
                GenerationIntent(keyID: keyID, issuer: issuer, algorithm: specification.algorithm, recordedAt: clock.wall()))
        }
        do {
            return try await custody.generate(
                specification, keyID: keyID, label: "privyseal/\(store.deployment.id)/\(issuer)")
        } catch {
            await settle(keyID, of: issuer)
            throw error
        }
    }

    /// Commits a change that brings generated keys in; when it does not come about, they are left to be destroyed.
    @discardableResult
    func commit(
        of issuer: IssuerName, with key: GeneratedKey, _ change: @autoclosure () throws -> IssuerChange
    ) async throws -> KeyReference? {
        do {
            let former = try await commit(try change(), fulfilling: [key.keyID])
            isTokenProven = true
            return former
        } catch {
            await settle(key.keyID, of: issuer)
            throw error
        }
    }

    /// Decides what becomes of an intent whose key did not enter a ring. What cannot be decided now is at the next start.
    private func settle(_ keyID: KeyID, of issuer: IssuerName) async {
        do {
            if try await custody.contains(keyID) {
                try await abandon(keyID, of: issuer)
                await queue.enqueue(issuer) { await self.followUp(issuer) }
            } else {
                try await noting { try await store.bury(keyID) }
            }
        } catch {
            log.warning(
                "a key generation was cut off and is looked after at the next start",
                metadata: ["issuer": "\(issuer)", "keyID": "\(keyID)", "reason": "\(error)"])
        }
    }

    /// Leaves a key that is on the token and not wanted to be destroyed.
    func abandon(_ keyID: KeyID, of issuer: IssuerName) async throws {
        let moment = clock.wall()
        try await noting { try await store.abandon(keyID, at: moment) }
        destructions.append(PendingDestruction(keyID: keyID, issuer: issuer, requestedAt: moment))
    }

    /// Does for an issuer what its last change left to do: destroys private keys, publishes a missing standby key.
    ///
    /// What fails is tried again by `tick()`.
    func followUp(_ name: IssuerName) async {
        do {
            try await destroyPending(of: name)
            try await publishMissingStandby(of: name)
            unfinished[name] = nil
        } catch {
            unfinished[name] = Unfinished(
                message: "\(error)", retryAt: clock.monotonicSeconds + Self.retryInterval)
            log.warning("keys of an issuer are not in order yet", metadata: ["issuer": "\(name)", "reason": "\(error)"])
        }
    }

    private func destroyPending(of name: IssuerName) async throws {
        let pending = destructions.filter { $0.issuer == name }
        guard !pending.isEmpty else { return }
        if !isTokenProven { try await proveToken() }
        guard isTokenProven else {
            throw HSMError(
                .unavailable, "a private key is still to be destroyed, and the token shows no other key of the store",
                hint: "check that it is the right token")
        }
        for pending in pending {
            try await custody.destroy(pending.keyID)
            try await noting { try await store.markDestroyed(pending.keyID, at: clock.wall()) }
            destructions.removeAll { $0.keyID == pending.keyID }
            log.info("destroyed a private key", metadata: ["issuer": "\(name)", "keyID": "\(pending.keyID)"])
        }
    }

    private func publishMissingStandby(of name: IssuerName) async throws {
        guard let issuer = issuers[name], issuer.needsStandby else { return }
        let key = try await generateKey(for: name, issuer.settings.keySpecification)
        try await commit(
            of: name, with: key, try self.issuer(named: name.text).publishingStandby(key, at: clock.wall()))
        log.info("published a standby key", metadata: ["issuer": "\(name)", "kid": "\(key.kid)"])
    }
}
