import IssuerStore
import KeyLifecycle
import Logging

extension IssuerRegistry {
    func enqueueFollowUp(_ name: IssuerName, carryingOn isNeglected: Bool = false) async {
        await queue.enqueue(name) { await self.followUp(name, carryingOn: isNeglected) }
    }

    /// Does for an issuer what its last change left to do: looks after generations and revocations that were cut off, destroys
    /// private keys, publishes a missing standby key.
    ///
    /// What fails is tried again by `tick()`.
    ///
    /// - Parameter isNeglected: whether revocations that another agent has begun are carried on as well.
    func followUp(_ name: IssuerName, carryingOn isNeglected: Bool = false) async {
        guard standing.quarantine(of: name) == nil, standing.standstill == nil else { return }
        let failure = await tryingAgainLater(name) {
            try await resolveCutOff(of: name)
            try await carryOnRevocations(of: name, neglected: isNeglected)
            try await destroyPending(of: name)
            try await publishMissingStandby(of: name)
            retries.clear(name)
        }
        if let failure {
            log.warning("keys of an issuer are not in order yet", metadata: ["issuer": "\(name)", "reason": "\(failure)"])
        }
    }

    /// Has the keys of an issuer destroyed that were given up just now. It makes none: a change that fails again and again
    /// must not be its own next try.
    func enqueueDestruction(of name: IssuerName) async {
        await queue.enqueue(name) {
            await self.tryingAgainLater(name) { try await self.destroyPending(of: name) }
        }
    }

    /// Does work on the token that no caller has asked for. What fails is noted for `tick()`; what the end of the agent has cut
    /// off is left to the next start, which finds it in the store.
    ///
    /// - Returns: what `tick()` tries again, if there is anything.
    @discardableResult
    private func tryingAgainLater(_ name: IssuerName, _ work: () async throws -> Void) async -> (any Error)? {
        do {
            try await work()
            return nil
        } catch let error as HSMError where error.code == .shuttingDown {
            return nil
        } catch let error where fleet != nil && error.isLostRace {
            // Another agent was faster; what is left then is seen in the store.
            return nil
        } catch {
            tryAgainLater(name, error)
            return error
        }
    }

    func tryAgainLater(_ name: IssuerName, _ error: any Error) {
        retries.note(error, of: name, at: clock.monotonicSeconds, tokenGeneration: custody.tokenGeneration)
    }

    private func resolveCutOff(of name: IssuerName) async throws {
        let intents = obligations.cutOff(of: name)
        guard !intents.isEmpty else { return }
        if !mayTouchToken { try await proveToken() }
        guard mayTouchToken else { throw HSMError.unproven(custody.tokenIdentity, last: standing.knownToken) }
        for intent in intents { _ = try await resolve(intent) }
    }

    enum DestructionOutcome {
        case done, waiting, stray, another, inUse, unbelieved
    }

    /// Destroys what is to be destroyed of an issuer, as far as the token may be the one it is on.
    ///
    /// - Parameter isAwaited: whether a change waits for it, also one that is not the issuer's next.
    func destroyPending(of name: IssuerName, isAwaited: Bool = false) async throws {
        let pending = obligations.destructions(of: name)
        guard !pending.isEmpty, standing.quarantine(of: name) == nil, standing.standstill == nil,
            !obligations.isLeavingDestructions
        else { return }
        if !isTokenProven { try await proveToken() }
        var outcomes: Set<DestructionOutcome> = []
        for pending in pending { outcomes.insert(try await destroy(pending, isAwaited: isAwaited)) }
        if outcomes.contains(.another) {
            throw HSMError(
                .unavailable, "the token shows another key under the CKA_ID of one that is to be destroyed; it is left alone",
                hint: "see which with: privyseal reconcile --dry-run")
        }
        if outcomes.contains(.inUse) {
            throw HSMError(
                .unavailable, "the store wants a key destroyed that signs, or is to sign next; it is left alone",
                hint: "find out who writes to the store, then: privyseal reconcile --dry-run")
        }
        if outcomes.contains(.unbelieved) {
            throw HSMError(
                .unavailable, "a private key is still to be destroyed, and what the store has of an issuer is not believed",
                hint: "see of which and why: privyseal health")
        }
        if outcomes.contains(.waiting) {
            throw HSMError(
                .unavailable, "a private key is still to be destroyed, and the token shows no other key of the store",
                hint: "check that it is the right token")
        }
    }

    /// Destroys one key pair, or finds that it has gone, and only then says so to the store.
    func destroy(_ pending: PendingDestruction, isAwaited: Bool) async throws -> DestructionOutcome {
        if let held = held(pending.keyID) { return held }
        let outcome = try await custody.destroy(
            DoomedKey(
                keyID: pending.keyID, publicKey: pending.publicKey, label: label(of: pending.issuer),
                tokenGeneration: custody.tokenGeneration, isTokenProven: isTokenProven),
            urgency: .background { [queue] in isAwaited || queue.isAwaited(pending.issuer) })
        switch outcome {
        case .differs: return .another
        case .unproven: return pending.isStray ? .stray : .waiting
        case .absent where pending.isStray: return .stray
        case .absent where !isTokenProven && !isKnownTokenOfEmptyStore: return .waiting
        case .absent, .destroyed: break
        }
        try await noting { try await store.markDestroyed(pending.keyID, at: clock.wall()) }
        obligations.noteDestroyed(pending.keyID)
        if isStoreShared {
            var record = AuditChange(.destroyed, issuer: pending.issuer.text)
            record.keyID = "\(pending.keyID)"
            journal.end(record)
        }
        log.info("destroyed a private key", metadata: ["issuer": "\(pending.issuer)", "keyID": "\(pending.keyID)"])
        return .done
    }

    /// Why a key is left alone whatever the store says: it is in use, or might be by a record that is not believed.
    private func held(_ keyID: KeyID) -> DestructionOutcome? {
        guard fleet != nil else { return nil }
        guard shared.isStoreBelieved, !standing.isAnyRecordUnbelieved else { return .unbelieved }
        let isInUse = shared.newest(issuers).contains { issuer in
            issuer.ring.keys.contains { $0.keyID == keyID && ($0.state == .active || $0.state == .standby) }
        }
        return isInUse ? .inUse : nil
    }

    /// With no issuer left, no key can prove the token; that it is by name and number the one that last did has to do, to
    /// take a key that it does not show for destroyed.
    private var isKnownTokenOfEmptyStore: Bool {
        issuers.isEmpty && standing.isKnown(custody.tokenIdentity)
    }

    private func publishMissingStandby(of name: IssuerName) async throws {
        guard let issuer = issuers[name], issuer.needsStandby else { return }
        // The change it belongs to has been answered. Another one of the issuer waits for it, if there is one.
        try await claimingStandby(of: name) {
            let key = try await generateKey(
                for: name, issuer.settings.keySpecification, urgency: .background { [queue] in queue.isAwaited(name) })
            try await commit(
                of: name, with: key, try self.issuer(named: name.text).publishingStandby(key, at: clock.wall()))
            log.info("published a standby key", metadata: ["issuer": "\(name)", "kid": "\(key.kid)"])
        }
    }
}
