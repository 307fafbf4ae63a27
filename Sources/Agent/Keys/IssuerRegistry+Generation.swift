import IssuerStore
import KeyLifecycle
import Logging
import Platform

extension IssuerRegistry {
    /// Generates a key pair for an issuer: intent first, so that the pair is recognised whatever happens next.
    ///
    /// The caller ends with `commit(of:with:_:)`, or with `settle(_:of:)` if it comes to no change.
    /// - Parameter urgency: of the key.
    /// - Throws: `HSMError`, `StoreError`. The pair, should it exist all the same, is left to be destroyed.
    func generateKey(
        for issuer: IssuerName, _ specification: KeySpecification, urgency: Urgency = .awaited
    ) async throws -> GeneratedKey {
        guard standing.isChecked else { throw HSMError.unchecked }
        if !mayTouchToken { try await proveToken() }
        guard mayTouchToken else { throw HSMError.unproven(custody.tokenIdentity, last: standing.knownToken) }
        if issuers.isEmpty { try await leaveFormerToken() }
        return try await makeKey(for: issuer, specification, urgency: urgency)
    }

    /// As `generateKey`, on whatever token there is. One that may have had no room is asked once more when it may have some.
    func makeKey(
        for issuer: IssuerName, _ specification: KeySpecification, urgency: Urgency = .awaited
    ) async throws -> GeneratedKey {
        // What is waited for now is waited for until it is there.
        let isReserving = urgency.isAwaited
        if isReserving { custody.reserve() }
        defer { if isReserving { custody.release() } }
        do {
            return try await tryToMakeKey(for: issuer, specification, urgency: urgency)
        } catch let error as HSMError where error.mayBeWantOfRoom {
            guard await custody.makeRoom() else { throw error }
            return try await tryToMakeKey(for: issuer, specification, urgency: urgency)
        }
    }

    private func tryToMakeKey(
        for issuer: IssuerName, _ specification: KeySpecification, urgency: Urgency
    ) async throws -> GeneratedKey {
        try await custody.requireMechanisms(for: specification, urgency: urgency)
        let tokenGeneration = custody.tokenGeneration
        // 16 bytes are what a KeyID takes.
        let keyID = KeyID(SystemRandom.bytes(KeyID.length))!
        // A token that does not answer gets no intent: it would leave a tombstone at each try.
        try await custody.requireUnused(keyID, urgency: urgency)
        let intent = GenerationIntent(
            keyID: keyID, issuer: issuer, algorithm: specification.algorithm, recordedAt: clock.wall())
        obligations.beginGeneration(keyID)
        do {
            try await noting { try await store.record(intent) }
        } catch {
            // One that has reached the store all the same shows there.
            obligations.endGeneration(keyID)
            throw error
        }
        obligations.noteIntent(intent)
        do {
            let key = try await custody.generate(
                specification, keyID: keyID, label: label(of: issuer).description,
                urgency: urgency)
            guard custody.tokenGeneration == tokenGeneration else {
                throw HSMError(
                    .unavailable, "the module was initialised anew while a key was generated", hint: "try again in a moment")
            }
            return key
        } catch {
            await settle(keyID, of: issuer)
            throw error
        }
    }

    /// The `CKA_LABEL` of an issuer's keys.
    func label(of issuer: IssuerName) -> KeyLabel {
        KeyLabel(deployment: store.deployment.id, issuer: issuer)
    }

    /// With the last issuer gone, nothing tells a token from another but the keys that are still to be destroyed. Those that
    /// the token does not show are on another one, unless this one has the name of the token that last showed a key.
    private func leaveFormerToken() async throws {
        guard custody.tokenIdentity != standing.knownToken else { return }
        for name in obligations.issuersOfDestructions { try? await destroyPending(of: name, isAwaited: true) }
        var isAnyLeft = false
        for row in obligations.destructions where !row.isStray {
            // What could not be destroyed is on this one all the same.
            if try await custody.contains(row.keyID, labelled: label(of: row.issuer)) { return }
            isAnyLeft = true
        }
        guard isAnyLeft else { return }
        try await noting { try await store.strandDestructions() }
        log.warning(
            "private keys of deleted issuers are on another token than this one and cannot be destroyed from here",
            metadata: [
                "keys": "\(obligations.destructions.count)", "token": "\(custody.tokenIdentity)",
                "last": "\(standing.knownToken?.description ?? "unknown")",
            ])
        for name in obligations.issuersOfDestructions { retries.clear(name) }
        obligations.strandDestructions()
    }

    /// Commits a change that brings generated keys in; when it does not come about, they are left to be destroyed.
    @discardableResult
    func commit(
        of issuer: IssuerName, with key: GeneratedKey, _ change: @autoclosure () throws -> IssuerChange
    ) async throws -> CommittedChange {
        do {
            // How the token holds it was looked at when it was made.
            shared.noteHeld(key.kid)
            let committed = try await commit(try change(), fulfilling: [key.keyID])
            obligations.endGeneration(key.keyID)
            await noteProven()
            return committed
        } catch {
            await settle(key.keyID, of: issuer)
            throw error
        }
    }

    /// Decides what becomes of an intent whose key did not enter a ring. What cannot be decided now, such as when the store
    /// cannot be written, is tried again with what else the issuer has left to do.
    func settle(_ keyID: KeyID, of issuer: IssuerName) async {
        defer { obligations.endGeneration(keyID) }
        do {
            if try await custody.contains(keyID, labelled: label(of: issuer)) {
                try await abandon(keyID, of: issuer)
                await enqueueDestruction(of: issuer)
            } else {
                try await noting { try await store.bury(keyID) }
            }
            obligations.concludeIntent(keyID)
        } catch {
            tryAgainLater(issuer, error)
            log.warning(
                "a key generation was cut off and is looked after later",
                metadata: ["issuer": "\(issuer)", "keyID": "\(keyID)", "reason": "\(error)"])
        }
    }

    /// Leaves a key that is on the token and not wanted to be destroyed.
    ///
    /// - Parameter known: its public key, if it is known already.
    func abandon(_ keyID: KeyID, of issuer: IssuerName, publicKey known: [UInt8]? = nil) async throws {
        let moment = clock.wall()
        var publicKey = known
        // Read while it is there: what has to be destroyed may be all there is to tell its token by.
        // Of our own alone: another's under the CKA_ID must not become what has to be destroyed.
        if publicKey == nil { publicKey = try? await custody.publicKey(of: keyID, labelled: label(of: issuer)) }
        let read = publicKey
        try await noting { try await store.abandon(keyID, publicKey: read, at: moment) }
        obligations.abandon(
            PendingDestruction(keyID: keyID, issuer: issuer, requestedAt: moment, publicKey: read))
    }
}

extension HSMError {
    /// A token that has not been looked at since the start.
    static let unchecked = HSMError(
        .unavailable, "the token has not been looked at yet, so nobody knows whether the store fits it",
        hint: "try again in a moment; `privyseal health` says what is wrong")

    /// A token that is not, or not known to be, the store's.
    static func unproven(_ token: TokenIdentity, last: TokenIdentity?) -> HSMError {
        let former = last.map { $0 == token ? "" : "; the last one that did was \($0)" } ?? ""
        return HSMError(
            .unavailable, "the token \(token) shows none of the keys in the store\(former)",
            hint: "give the agent the token the keys were made on; for one that is lost for good: privyseald replace-token")
    }
}
