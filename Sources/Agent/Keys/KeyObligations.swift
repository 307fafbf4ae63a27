import IssuerStore
import KeyLifecycle

/// What is to be done about key pairs on the token that no ring holds: those that have to go, those that only an operator can
/// have destroyed, and those whose generation is under way or was cut off.
///
/// A value that follows what the store has been told: each of its changes is made once the store's call has returned.
struct KeyObligations: Sendable {
    /// Key pairs that have to go from the token, oldest first.
    private(set) var destructions: [PendingDestruction] = []
    /// Key pairs that only an operator can have destroyed.
    private(set) var quarantined: [QuarantinedKey] = []
    /// Generations under way: intents that their own change alone decides about.
    private(set) var underWay: Set<KeyID> = []
    /// Whether what is to be destroyed is left to the next start.
    private(set) var isLeavingDestructions = false
    /// Intents without a key in a ring: of generations under way, and of those that were cut off and are still to be looked
    /// after.
    private var intents: [KeyID: GenerationIntent] = [:]

    mutating func load(_ contents: StoreContents) {
        destructions = contents.destructions
        quarantined = contents.quarantined
    }

    /// A change of an issuer has been committed.
    ///
    /// - Parameter keyIDs: of the intents that it fulfils.
    mutating func follow(_ change: IssuerChange, fulfilling keyIDs: [KeyID]) {
        destructions += change.destroyed.map {
            PendingDestruction(keyID: $0.keyID, issuer: change.name, requestedAt: change.at, publicKey: $0.publicKey)
        }
        for keyID in keyIDs { intents[keyID] = nil }
    }
}

// MARK: - Generations

extension KeyObligations {
    /// A key pair is about to be generated; to be called before the store is told.
    mutating func beginGeneration(_ keyID: KeyID) {
        underWay.insert(keyID)
    }

    /// The store knows the intent.
    mutating func noteIntent(_ intent: GenerationIntent) {
        intents[intent.keyID] = intent
    }

    /// The change that had the key generated has ended, whatever came of it.
    mutating func endGeneration(_ keyID: KeyID) {
        underWay.remove(keyID)
    }

    /// What becomes of the key has been decided.
    mutating func concludeIntent(_ keyID: KeyID) {
        intents[keyID] = nil
    }

    /// Whether the key is one of a generation that is under way, or that was cut off and is still to be looked after.
    func knows(_ keyID: KeyID) -> Bool { intents[keyID] != nil || underWay.contains(keyID) }

    /// The generations for an issuer that were cut off and are still to be looked after.
    func cutOff(of name: IssuerName) -> [GenerationIntent] {
        intents.values.filter { $0.issuer == name && !underWay.contains($0.keyID) }
    }
}

// MARK: - Destructions

extension KeyObligations {
    func destructions(of name: IssuerName) -> [PendingDestruction] {
        destructions.filter { $0.issuer == name }
    }

    func isToBeDestroyed(_ keyID: KeyID) -> Bool {
        destructions.contains { $0.keyID == keyID }
    }

    /// The issuers of key pairs that have to go.
    var issuersOfDestructions: Set<IssuerName> { Set(destructions.map(\.issuer)) }

    /// A key pair that is on the token has been given up, one in quarantine perhaps.
    mutating func abandon(_ row: PendingDestruction) {
        quarantined.removeAll { $0.keyID == row.keyID }
        destructions.append(row)
    }

    mutating func noteDestroyed(_ keyID: KeyID) {
        destructions.removeAll { $0.keyID == keyID }
    }

    /// What has to go may be on another token than the one in use.
    mutating func strandDestructions() {
        destructions = destructions.map { row in
            PendingDestruction(
                keyID: row.keyID, issuer: row.issuer, requestedAt: row.requestedAt, publicKey: row.publicKey, isStray: true)
        }
    }

    mutating func leaveDestructions() {
        isLeavingDestructions = true
    }
}

// MARK: - Quarantine

extension KeyObligations {
    /// A key in quarantine, by its kid or, since not every one has a kid, its `CKA_ID`.
    func quarantinedKey(named text: String) -> QuarantinedKey? {
        quarantined.first { $0.kid == text || $0.keyID.description == text }
    }
}
