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
            destructions: state.destructions.filter { state.destroyed[$0.keyID] == nil }, lastChange: state.lastChange)
    }

    public func commit(_ change: IssuerChange, fulfilling: [KeyID]) throws {
        try transaction { state in try state.commit(change, fulfilling: fulfilling) }
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

    public func abandon(_ keyID: KeyID, at moment: Timestamp) throws {
        try transaction { state in
            if let index = state.intents.firstIndex(where: { $0.keyID == keyID }) {
                let intent = state.intents.remove(at: index)
                state.destructions.append(PendingDestruction(keyID: keyID, issuer: intent.issuer, requestedAt: moment))
            } else if !state.destructions.contains(where: { $0.keyID == keyID }) || state.destroyed[keyID] != nil {
                throw StoreError.conflict("no intent for \(keyID)")
            }
        }
    }

    public func markDestroyed(_ keyID: KeyID, at moment: Timestamp) throws {
        try transaction { state in
            guard state.destructions.contains(where: { $0.keyID == keyID }) else {
                throw StoreError.conflict("\(keyID) is not to be destroyed")
            }
            state.destroyed[keyID] = state.destroyed[keyID] ?? moment
        }
    }

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
    var lastChange: Timestamp?
    var refusedPIN: RefusedPIN?

    func knows(_ keyID: KeyID) -> Bool {
        intents.contains { $0.keyID == keyID } || destructions.contains { $0.keyID == keyID }
            || issuers.values.contains { $0.ring.keys.contains { $0.keyID == keyID } }
    }

    mutating func commit(_ change: IssuerChange, fulfilling: [KeyID]) throws(StoreError) {
        let stored = issuers[change.name]
        guard stored?.generation == change.expectedGeneration else { throw .conflict("another generation of \(change.name)") }
        let added = try added(by: change, to: stored?.ring.keys ?? [])
        guard Set(added.map(\.keyID)) == Set(fulfilling) else { throw .conflict("new keys without intents, or the reverse") }
        for keyID in Set(fulfilling) {
            guard
                let index = intents.firstIndex(where: {
                    $0.keyID == keyID && $0.issuer == change.name && !$0.isTombstone
                })
            else { throw .conflict("no open intent for \(keyID)") }
            intents.remove(at: index)
        }
        for key in change.destroyed {
            destructions.append(PendingDestruction(keyID: key.keyID, issuer: change.name, requestedAt: change.at))
        }
        issuers[change.name] = change.issuer
        lastChange = max(lastChange ?? change.at, change.at)
    }

    /// The new keys of a change that goes on from the stored ones.
    private func added(by change: IssuerChange, to stored: [SigningKey]) throws(StoreError) -> [SigningKey] {
        guard let keys = change.issuer?.ring.keys else {
            let published = Set(stored.filter(\.state.isPublished).map(\.keyID))
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
