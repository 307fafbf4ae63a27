import IssuerStore
import KeyLifecycle

/// What a store in memory holds. A method that throws may have changed it: work on a copy.
struct InMemoryState: Equatable {
    var issuers: [IssuerName: Issuer] = [:]
    var intents: [GenerationIntent] = []
    /// Carried out or not.
    var destructions: [PendingDestruction] = []
    var destroyed: [KeyID: Timestamp] = [:]
    var lost: Set<KeyID> = []
    var quarantined: [QuarantinedKey] = []
    /// The last generation of deleted issuers.
    var former: [IssuerName: Int] = [:]
    var token: TokenIdentity?
    var agents: Set<String> = []
    var lastChange: Timestamp?

    var pending: [PendingDestruction] {
        destructions.filter { destroyed[$0.keyID] == nil && !lost.contains($0.keyID) }
    }

    func knows(_ keyID: KeyID) -> Bool {
        quarantined.contains { $0.keyID == keyID } || intents.contains { $0.keyID == keyID }
            || destructions.contains { $0.keyID == keyID }
            || issuers.values.contains { $0.ring.keys.contains { $0.keyID == keyID } }
    }

    /// Everything but what is about one machine.
    var contents: StoreContents {
        StoreContents(
            issuers: issuers.values.sorted { $0.name < $1.name }, intents: intents, destructions: pending,
            lastChange: lastChange, quarantined: quarantined, formerGenerations: former, token: token, agents: agents)
    }

    mutating func record(_ intent: GenerationIntent) throws(StoreError) {
        guard !knows(intent.keyID) else { throw .conflict("\(intent.keyID) has been used before") }
        intents.append(intent)
    }

    mutating func bury(_ keyID: KeyID) throws(StoreError) {
        guard let index = intents.firstIndex(where: { $0.keyID == keyID }) else {
            throw .conflict("no intent for \(keyID)")
        }
        let open = intents[index]
        intents[index] = GenerationIntent(
            keyID: keyID, issuer: open.issuer, algorithm: open.algorithm, recordedAt: open.recordedAt, isTombstone: true,
            incarnation: open.incarnation)
    }

    mutating func abandon(_ keyID: KeyID, publicKey: [UInt8]?, at moment: Timestamp) throws(StoreError) {
        if let index = quarantined.firstIndex(where: { $0.keyID == keyID }) {
            let key = quarantined.remove(at: index)
            destructions.append(
                PendingDestruction(keyID: keyID, issuer: key.issuer, requestedAt: moment, publicKey: key.publicKey))
        } else if let index = intents.firstIndex(where: { $0.keyID == keyID }) {
            let intent = intents.remove(at: index)
            destructions.append(
                PendingDestruction(keyID: keyID, issuer: intent.issuer, requestedAt: moment, publicKey: publicKey))
        } else if !pending.contains(where: { $0.keyID == keyID }) {
            throw .conflict("no intent for \(keyID)")
        }
    }

    mutating func markDestroyed(_ keyID: KeyID, at moment: Timestamp) throws(StoreError) {
        guard destructions.contains(where: { $0.keyID == keyID }), !lost.contains(keyID) else {
            throw .conflict("\(keyID) is not to be destroyed")
        }
        destroyed[keyID] = destroyed[keyID] ?? moment
    }

    mutating func strandDestructions() {
        let pending = Set(pending.map(\.keyID))
        destructions = destructions.map { row in
            PendingDestruction(
                keyID: row.keyID, issuer: row.issuer, requestedAt: row.requestedAt, publicKey: row.publicKey,
                isStray: row.isStray || pending.contains(row.keyID))
        }
    }

    mutating func settle(_ settlement: Settlement) throws(StoreError) {
        for (change, fulfilling) in settlement.changes { try commit(change, fulfilling: fulfilling) }
        if let lostAt = settlement.lostAt {
            destructions += quarantined.map { key in
                PendingDestruction(keyID: key.keyID, issuer: key.issuer, requestedAt: lostAt, publicKey: key.publicKey)
            }
            quarantined = []
            lost.formUnion(pending.map(\.keyID))
        }
        token = settlement.token
    }

    mutating func commit(_ change: IssuerChange, fulfilling: [KeyID]) throws(StoreError) {
        let stored = issuers[change.name]
        guard stored?.generation == change.expectedGeneration else { throw .conflict("another generation of \(change.name)") }
        if stored == nil, let new = change.issuer, new.generation <= former[change.name] ?? 0 {
            throw .conflict("a deleted \(change.name) had the generation already")
        }
        let added = try added(by: change, to: stored?.ring.keys ?? [])
        guard Set(added.map(\.keyID)).subtracting([change.retained].compactMap(\.self)) == Set(fulfilling) else {
            throw .conflict("new keys without intents, or the reverse")
        }
        for keyID in Set(fulfilling) {
            guard
                let index = intents.firstIndex(where: {
                    $0.keyID == keyID && $0.issuer == change.name && !$0.isTombstone
                })
            else { throw .conflict("no open intent for \(keyID)") }
            intents.remove(at: index)
        }
        for key in change.destroyed {
            destructions.append(
                PendingDestruction(keyID: key.keyID, issuer: change.name, requestedAt: change.at, publicKey: key.publicKey))
        }
        quarantined += change.quarantined
        if change.issuer == nil { former[change.name] = stored?.generation }
        issuers[change.name] = change.issuer
        lastChange = max(lastChange ?? change.at, change.at)
    }

    /// The new keys of a change that goes on from the stored ones.
    private func added(by change: IssuerChange, to stored: [SigningKey]) throws(StoreError) -> [SigningKey] {
        guard let keys = change.issuer?.ring.keys else {
            let published = Set(stored.filter { $0.state.isPublished && $0.lostAt == nil }.map(\.keyID))
            guard published == Set(change.destroyed.map(\.keyID)) else { throw .otherKeys(change.name) }
            return []
        }
        guard keys.prefix(stored.count).map(Identity.init) == stored.map(Identity.init) else {
            throw .otherKeys(change.name)
        }
        let added = Array(keys.dropFirst(stored.count))
        let taken = Set(issuers.values.flatMap(\.ring.keys).map(\.kid))
        guard taken.isDisjoint(with: added.map(\.kid)) else { throw .conflict("a kid exists already") }
        return added
    }
}

/// What never changes of a key.
private struct Identity: Equatable {
    let kid: String
    let keyID: KeyID
    let algorithm: SignatureAlgorithm
    let publicKey: [UInt8]
    let publishedAt: Timestamp
    let knownFrom: Timestamp

    init(_ key: SigningKey) {
        kid = key.kid
        keyID = key.keyID
        algorithm = key.algorithm
        publicKey = key.publicKey
        publishedAt = key.publishedAt
        knownFrom = key.knownFrom
    }
}

extension StoreError {
    fileprivate static func otherKeys(_ name: IssuerName) -> StoreError {
        .conflict("the change of \(name) was made from other keys")
    }

    fileprivate static func conflict(_ message: String) -> StoreError {
        StoreError(.conflict, message, hint: "read the store again and decide anew")
    }
}
