public import IssuerStore
public import KeyLifecycle

/// A store that keeps its promises as long as the process lives.
public actor InMemoryIssuerStore: IssuerStorage {
    public nonisolated let deployment: Deployment
    private var state = InMemoryState()
    private var frontends = 0
    private var refused: RefusedPIN?
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
        var contents = state.contents
        contents.frontends = frontends
        return contents
    }

    @discardableResult
    public func commit(_ change: IssuerChange, fulfilling: [KeyID]) throws -> Int64? {
        try transaction { state in try state.commit(change, fulfilling: fulfilling) }
        return nil
    }

    public func record(_ intent: GenerationIntent) throws {
        try transaction { state in try state.record(intent) }
    }

    public func bury(_ keyID: KeyID) throws {
        try transaction { state in try state.bury(keyID) }
    }

    public func abandon(_ keyID: KeyID, publicKey: [UInt8]?, at moment: Timestamp) throws {
        try transaction { state in try state.abandon(keyID, publicKey: publicKey, at: moment) }
    }

    public func markDestroyed(_ keyID: KeyID, at moment: Timestamp) throws {
        try transaction { state in try state.markDestroyed(keyID, at: moment) }
    }

    public func strandDestructions() throws {
        try transaction { state in state.strandDestructions() }
    }

    public func recognised(_ keyIDs: Set<KeyID>) throws -> Set<KeyID> {
        try checkOutage()
        return keyIDs.filter(state.knows)
    }

    public func noteToken(_ token: TokenIdentity) throws {
        try transaction { state in state.token = token }
    }

    public func settle(_ settlement: Settlement) throws {
        try transaction { state in try state.settle(settlement) }
    }

    public func noteAgents(_ ids: Set<String>) throws {
        try transaction { state in state.agents.formUnion(ids) }
    }

    public func forgetAgents(_ ids: Set<String>) throws {
        try transaction { state in state.agents.subtract(ids) }
    }

    public func noteFrontends(_ count: Int) throws {
        try checkOutage()
        frontends = count
    }

    public func checkPlace() throws { try checkOutage() }

    public func probe() throws { try checkOutage() }

    /// What is in memory is where it belongs.
    public func save() throws -> String? { nil }

    public func refusedPIN() throws -> RefusedPIN? {
        try checkOutage()
        return refused
    }

    public func setRefusedPIN(_ refused: RefusedPIN?) throws {
        try checkOutage()
        self.refused = refused
    }

    private func checkOutage() throws(StoreError) {
        if let outage { throw outage }
    }

    /// Works on a copy, so that a call that throws has had no effect.
    private func transaction(_ body: (inout InMemoryState) throws -> Void) throws {
        try checkOutage()
        var next = state
        try body(&next)
        state = next
    }
}
