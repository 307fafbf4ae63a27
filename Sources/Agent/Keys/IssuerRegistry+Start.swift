import IssuerStore
import KeyLifecycle
import Logging

extension IssuerRegistry {
    /// Reads the store, brings token and store together, and starts to serve what is there.
    ///
    /// - Throws: `StoreError`; trouble with the token is logged and left to `health`.
    func start() async throws {
        let contents = try await store.contents()
        clockGuard = ClockGuard(lastChange: contents.lastChange)
        clockGuard.observe(wall: clock.wall(), monotonic: clock.monotonicSeconds)
        destructions = contents.destructions
        for issuer in contents.issuers {
            show(issuer, try signingState(of: issuer), named: issuer.name)
        }
        do {
            try await proveToken()
            try await reconcile(contents.intents)
        } catch let error as HSMError {
            log.error("the token could not be checked at start", metadata: ["reason": "\(error)"])
        }
        for issuer in contents.issuers { await queue.enqueue(issuer.name) { await self.followUp(issuer.name) } }
        for name in Set(destructions.map(\.issuer)) where issuers[name] == nil {
            await queue.enqueue(name) { await self.followUp(name) }
        }
    }

    /// Looks for one key of the store on the token.
    func proveToken() async throws {
        for key in allIssuers.flatMap(\.ring.published) where !isTokenProven {
            isTokenProven = try await custody.publicKey(of: key.keyID) == key.publicKey
        }
        if !isTokenProven, !issuers.isEmpty {
            log.error(
                "the token shows none of the keys in the store: nothing on it is made or destroyed",
                metadata: ["hint": "check that it is the token the keys were made on"])
        }
    }

    /// Finishes what a crash left between the store and the token.
    ///
    /// A key that was generated and is wanted enters its ring; one that is not wanted is destroyed; one that is not there
    /// leaves a tombstone, so that it is recognised should it appear.
    private func reconcile(_ intents: [GenerationIntent]) async throws {
        guard mayTouchToken else { return }
        for intent in intents {
            if try await !custody.contains(intent.keyID) {
                if intent.isTombstone { continue }
                try await noting { try await store.bury(intent.keyID) }
            } else if try await !adopt(intent) {
                try await abandon(intent.keyID, of: intent.issuer)
            }
            log.notice(
                "reconciled a key generation that was cut off",
                metadata: ["issuer": "\(intent.issuer)", "keyID": "\(intent.keyID)"])
        }
    }

    private func adopt(_ intent: GenerationIntent) async throws -> Bool {
        guard !intent.isTombstone, let issuer = issuers[intent.issuer], issuer.needsStandby,
            let key = try await custody.heldKey(intent.keyID, for: intent.algorithm),
            key.specification == issuer.settings.keySpecification
        else { return false }
        try await commit(issuer.publishingStandby(key, at: clock.wall()), fulfilling: [key.keyID])
        return true
    }

    /// Whether keys may be made and destroyed: not on a token that holds none of the store's keys, unless it has none yet.
    var mayTouchToken: Bool {
        isTokenProven || issuers.isEmpty
    }
}
