import IssuerStore
import KeyLifecycle
import Logging

extension IssuerRegistry {
    /// Seconds before work on the token that failed is tried again: doubled with each failure up to the maximum, since each
    /// generation that a full token refuses leaves a tombstone.
    private static let retryInterval: Int64 = 15
    private static let maximumRetryInterval: Int64 = 300

    func enqueueFollowUp(_ name: IssuerName) async {
        await queue.enqueue(name) { await self.followUp(name) }
    }

    /// Does for an issuer what its last change left to do: looks after generations that were cut off, destroys private keys,
    /// publishes a missing standby key.
    ///
    /// What fails is tried again by `tick()`.
    func followUp(_ name: IssuerName) async {
        guard quarantined(name) == nil, standstill == nil else { return }
        do {
            try await resolveCutOff(of: name)
            try await destroyPending(of: name)
            try await publishMissingStandby(of: name)
            unfinished[name] = nil
        } catch let error as HSMError where error.code == .shuttingDown {
            // The next start goes on with it.
        } catch {
            note(error, unfinishedFor: name)
            log.warning("keys of an issuer are not in order yet", metadata: ["issuer": "\(name)", "reason": "\(error)"])
        }
    }

    /// Has the keys of an issuer destroyed that were given up just now. It makes none: a change that fails again and again
    /// must not be its own next try.
    func enqueueDestruction(of name: IssuerName) async {
        await queue.enqueue(name) {
            do {
                try await self.destroyPending(of: name)
            } catch let error as HSMError where error.code == .shuttingDown {
                // The next start goes on with it.
            } catch {
                await self.note(error, unfinishedFor: name)
            }
        }
    }

    func note(_ error: any Error, unfinishedFor name: IssuerName) {
        let failures = (unfinished[name]?.failures ?? 0) + 1
        let pause = min(Self.retryInterval << min(failures - 1, 10), Self.maximumRetryInterval)
        unfinished[name] = Unfinished(
            message: "\(error)", retryAt: clock.monotonicSeconds + pause, failures: failures,
            tokenGeneration: custody.tokenGeneration)
    }

    private func resolveCutOff(of name: IssuerName) async throws {
        let intents = cutOff.values.filter { $0.issuer == name && !underWay.contains($0.keyID) }
        guard !intents.isEmpty else { return }
        if !mayTouchToken { try await proveToken() }
        guard mayTouchToken else { throw HSMError.unproven(custody.tokenIdentity, last: knownToken) }
        for intent in intents { _ = try await resolve(intent) }
    }

    enum DestructionOutcome {
        case done, waiting, stray, another
    }

    /// Destroys what is to be destroyed of an issuer, as far as the token may be the one it is on.
    ///
    /// - Parameter isAwaited: whether somebody waits for it, whoever else waits for the issuer's next change.
    func destroyPending(of name: IssuerName, isAwaited: Bool = false) async throws {
        let pending = destructions.filter { $0.issuer == name }
        guard !pending.isEmpty, quarantined(name) == nil, standstill == nil, !isLeavingDestructions else { return }
        if !isTokenProven { try await proveToken() }
        var outcomes: Set<DestructionOutcome> = []
        for pending in pending { outcomes.insert(try await carryOut(pending, isAwaited: isAwaited)) }
        if outcomes.contains(.another) {
            throw HSMError(
                .unavailable, "the token shows another key under the CKA_ID of one that is to be destroyed; it is left alone",
                hint: "see which with: privyseal reconcile --dry-run")
        }
        if outcomes.contains(.waiting) {
            throw HSMError(
                .unavailable, "a private key is still to be destroyed, and the token shows no other key of the store",
                hint: "check that it is the right token")
        }
    }

    /// Destroys one key pair, or finds that it has gone, and only then says so to the store.
    func carryOut(_ pending: PendingDestruction, isAwaited: Bool) async throws -> DestructionOutcome {
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
        destructions.removeAll { $0.keyID == pending.keyID }
        log.info("destroyed a private key", metadata: ["issuer": "\(pending.issuer)", "keyID": "\(pending.keyID)"])
        return .done
    }

    /// With no issuer left, no key can prove the token; that it is by name and number the one that last did has to do, to
    /// take a key that it does not show for destroyed.
    private var isKnownTokenOfEmptyStore: Bool {
        issuers.isEmpty && custody.tokenIdentity == knownToken && !custody.tokenIdentity.serial.isEmpty
    }

    private func publishMissingStandby(of name: IssuerName) async throws {
        guard let issuer = issuers[name], issuer.needsStandby else { return }
        // The change it belongs to has been answered. Another one of the issuer waits for it, if there is one.
        let key = try await generateKey(
            for: name, issuer.settings.keySpecification, urgency: .background { [queue] in queue.isAwaited(name) })
        try await commit(
            of: name, with: key, try self.issuer(named: name.text).publishingStandby(key, at: clock.wall()))
        log.info("published a standby key", metadata: ["issuer": "\(name)", "kid": "\(key.kid)"])
    }
}
