public import IssuerStore
public import KeyLifecycle

/// A store that keeps its promises as long as the process lives.
public actor InMemoryIssuerStore: IssuerStorage {
    public nonisolated let deployment: Deployment
    private var state = State()
    private var outage: StoreError?

    public init(deployment: Deployment) {
        self.deployment = deployment
    }

    /// Makes every call throw `error`, and with `nil` work again.
    public func setOutage(_ error: StoreError?) {
        outage = error
    }

    public func contents() throws -> StoreContents {
        try checkOutage()
        return StoreContents(
            issuers: state.issuers.values.sorted { $0.name < $1.name }, intents: state.intents,
            destructions: state.pending, lastChange: state.lastChange, quarantined: state.quarantined,
            formerGenerations: state.former, token: state.token, agents: state.agents,
            frontends: state.frontends)
    }

    @discardableResult
    public func commit(_ change: IssuerChange, fulfilling: [KeyID]) throws -> Int64? {
        try transaction { state in try state.commit(change, fulfilling: fulfilling) }
        return nil
    }

    public func record(_ intent: GenerationIntent) throws {
        try transaction { state in
            guard !state.knows(intent.keyID) else { throw StoreError.conflict("\(intent.keyID) has been used before") }
            state.intents.append(intent)
        }
    }

    public func bury(_ keyID: KeyID) throws {
        try transaction { state in
            guard let index = state.intents.firstIndex(where: { $0.keyID == keyID }) else {
                throw StoreError.conflict("no intent for \(keyID)")
            }
            let open = state.intents[index]
            state.intents[index] = GenerationIntent(
                keyID: keyID, issuer: open.issuer, algorithm: open.algorithm, recordedAt: open.recordedAt, isTombstone: true)
        }
    }

    public func abandon(_ keyID: KeyID, publicKey: [UInt8]?, at moment: Timestamp) throws {
        try transaction { state in
            if let index = state.quarantined.firstIndex(where: { $0.keyID == keyID }) {
                let key = state.quarantined.remove(at: index)
                state.destructions.append(
                    PendingDestruction(keyID: keyID, issuer: key.issuer, requestedAt: moment, publicKey: key.publicKey))
            } else if let index = state.intents.firstIndex(where: { $0.keyID == keyID }) {
                let intent = state.intents.remove(at: index)
                state.destructions.append(
                    PendingDestruction(keyID: keyID, issuer: intent.issuer, requestedAt: moment, publicKey: publicKey))
            } else if !state.pending.contains(where: { $0.keyID == keyID }) {
                throw StoreError.conflict("no intent for \(keyID)")
            }
        }
    }

    public func markDestroyed(_ keyID: KeyID, at moment: Timestamp) throws {
        try transaction { state in
            guard state.destructions.contains(where: { $0.keyID == keyID }), !state.lost.contains(keyID) else {
                throw StoreError.conflict("\(keyID) is not to be destroyed")
            }
            state.destroyed[keyID] = state.destroyed[keyID] ?? moment
        }
    }

    public func strandDestructions() throws {
        try transaction { state in
            let pending = Set(state.pending.map(\.keyID))
            state.destructions = state.destructions.map { row in
                PendingDestruction(
                    keyID: row.keyID, issuer: row.issuer, requestedAt: row.requestedAt, publicKey: row.publicKey,
                    isStray: row.isStray || pending.contains(row.keyID))
            }
        }
    }

    public func recognised(_ keyIDs: Set<KeyID>) throws -> Set<KeyID> {
        try checkOutage()
        return keyIDs.filter(state.knows)
    }

    public func noteToken(_ token: TokenIdentity) throws {
        try transaction { state in state.token = token }
    }

    public func settle(_ settlement: Settlement) throws {
        try transaction { state in
            for (change, fulfilling) in settlement.changes { try state.commit(change, fulfilling: fulfilling) }
            if let lostAt = settlement.lostAt {
                state.destructions += state.quarantined.map { key in
                    PendingDestruction(keyID: key.keyID, issuer: key.issuer, requestedAt: lostAt, publicKey: key.publicKey)
                }
                state.quarantined = []
                state.lost.formUnion(state.pending.map(\.keyID))
            }
            state.token = settlement.token
        }
    }

    public func noteAgents(_ ids: Set<String>) throws {
        try transaction { state in state.agents.formUnion(ids) }
    }

    public func forgetAgents(_ ids: Set<String>) throws {
        try transaction { state in state.agents.subtract(ids) }
    }

    public func noteFrontends(_ count: Int) throws {
        try transaction { state in state.frontends = count }
    }

    public func checkPlace() throws { try checkOutage() }

    public func probe() throws { try checkOutage() }

    /// What is in memory is where it belongs.
    public func save() throws -> String? { nil }

    public func refusedPIN() throws -> RefusedPIN? {
        try checkOutage()
        return state.refusedPIN
    }

    public func setRefusedPIN(_ refused: RefusedPIN?) throws {
        try transaction { state in state.refusedPIN = refused }
    }

    private func checkOutage() throws(StoreError) {
        if let outage { throw outage }
    }

    /// Works on a copy, so that a call that throws has had no effect.
    private func transaction(_ body: (inout State) throws -> Void) throws {
        try checkOutage()
        var next = state
        try body(&next)
        state = next
    }
}

/// What the store holds.
private struct State {
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
    var frontends = 0
    var lastChange: Timestamp?
    var refusedPIN: RefusedPIN?

    var pending: [PendingDestruction] {
        destructions.filter { destroyed[$0.keyID] == nil && !lost.contains($0.keyID) }
    }

    func knows(_ keyID: KeyID) -> Bool {
        quarantined.contains { $0.keyID == keyID } || intents.contains { $0.keyID == keyID }
            || destructions.contains { $0.keyID == keyID }
            || issuers.values.contains { $0.ring.keys.contains { $0.keyID == keyID } }
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
