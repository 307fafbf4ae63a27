import IssuerStore
import KeyLifecycle
import Logging

/// The issuers of an agent: decides every change through `KeyLifecycle`, commits it, and only then lets it be seen.
///
/// Changes of one issuer run one after the other; those of different issuers do not wait for each other. The store may have
/// other writers: a commit that lost is answered with the state that won.
actor IssuerRegistry {
    let store: any IssuerStorage
    let custody: any KeyCustody
    let hsmStatus: HSMStatus
    let board = SigningBoard()
    let feed: ChangeFeed
    let queue: ChangeQueue
    let clock: AgentClock
    let log: Logger
    /// Records what is done to keys that nobody asked for.
    let journal: any KeyJournal
    /// The origin of URLs minted from now on, without a trailing slash.
    var publicBaseURL: String

    private(set) var issuers: [IssuerName: Issuer] = [:]
    private var references: [String: KeyReference] = [:]
    /// Key pairs that have to go from the token, oldest first.
    var destructions: [PendingDestruction] = []
    /// Key pairs that only an operator can have destroyed.
    var quarantinedKeys: [QuarantinedKey] = []
    /// The last generation of each deleted issuer.
    var formerGenerations: [IssuerName: Int] = [:]
    /// The token that last showed a key of this store.
    var knownToken: TokenIdentity?
    /// When the store was copied from another, as long as nobody has settled what the other did since.
    var copiedAt: Timestamp?
    /// Generations that were cut off and are still to be looked after, by `CKA_ID`.
    var cutOff: [KeyID: GenerationIntent] = [:]
    /// Generations under way: intents that nobody but their own change may decide about.
    var underWay: Set<KeyID> = []
    /// Issuers that do nothing until an operator has decided about them, and why.
    var quarantine: [IssuerName: Quarantine] = [:]
    /// Whether the token has been looked at since the start. Until then nobody knows whether the store is older than it.
    var isTokenChecked = false
    /// The look at the token that is under way.
    var tokenCheck: Task<Void, Never>?
    /// When the token is to be looked at again, in seconds of the monotonic clock, if it is to be.
    var nextTokenCheck: Int64 = 0
    /// What the token has shown when it was last looked at.
    var lastPlan: ReconciliationPlan?
    /// The token generation in which the token has shown a key of this store.
    private var provenGeneration: Int?
    /// The token generation in which the token was last looked at for keys of this store.
    var examinedGeneration: Int?
    /// Whether the token, as it is now, has shown a key of this store. Until then nothing on it is destroyed.
    var isTokenProven: Bool {
        get { provenGeneration == custody.tokenGeneration }
        set { provenGeneration = newValue ? custody.tokenGeneration : nil }
    }
    var clockGuard = ClockGuard(lastChange: nil)
    /// Whether this is the only agent of the deployment on the token.
    var soleUse: SoleUse
    /// How often an operator has said that the token is this agent's alone.
    var acceptances = 0
    /// Whether the token keeps this agent's note.
    var keepsNote = true
    /// How many frontends the store knows of, and for how many looks there have been fewer.
    var notedFrontends = 0
    var looksWithFewerFrontends = 0
    /// How often other agents have been looked for, and whether they are just now.
    var looks = 0
    var isLookingForAgents = false
    /// The look for other agents that is under way.
    var agentCheck: Task<Void, Never>?
    /// The note of how many frontends there are that is being written.
    var frontendNote: Task<Void, Never>?
    /// The look at the store that is under way.
    var storeCheck: Task<Void, Never>?
    /// Since when rotations that are due wait for frontends, in seconds of the monotonic clock.
    var heldRotations: [IssuerName: Int64] = [:]
    /// Issuers whose due transitions are queued.
    var due: Set<IssuerName> = []
    /// Why the store could not be used the last time; `nil` when it could.
    private(set) var storeTrouble: StoreError?
    /// What keeps an issuer from having what it should have, by issuer: no standby key, a destruction left to do.
    var unfinished: [IssuerName: Unfinished] = [:]

    /// Whether what is to be destroyed is left to the next start.
    var isLeavingDestructions = false

    /// Work on the token that failed, and when to try it again.
    struct Unfinished: Sendable {
        let message: String
        var retryAt: Int64
        /// How often it has failed in a row.
        let failures: Int
        /// The token generation it failed under: under another one it is tried at once.
        var tokenGeneration: Int
    }

    init(
        store: any IssuerStorage, custody: any KeyCustody, hsmStatus: HSMStatus, clock: AgentClock, publicBaseURL: String,
        log: Logger, journal: any KeyJournal = NoJournal(), feed: ChangeFeed = ChangeFeed(), note: AgentNote? = nil
    ) {
        soleUse = SoleUse(own: note, known: [])
        self.store = store
        self.custody = custody
        queue = ChangeQueue { custody.boost() }
        self.hsmStatus = hsmStatus
        self.clock = clock
        self.publicBaseURL = publicBaseURL
        self.log = log
        self.journal = journal
        self.feed = feed
    }

    // MARK: - Reading

    func issuer(named text: String) throws -> Issuer {
        guard let name = IssuerName(text) else { throw LifecycleError.issuerNotFound(text) }
        guard let issuer = issuers[name] else { throw LifecycleError.issuerNotFound(text, deletedAt: formerGenerations[name]) }
        return issuer
    }

    /// Those of the names that are an issuer's.
    func knownNames(among names: [String]) -> Set<String> {
        Set(names.filter { name in IssuerName(name).map { issuers[$0] != nil } ?? false })
    }

    /// An issuer whose keys may be used and changed.
    ///
    /// - Throws: `LifecycleError`: `.issuerNotFound`, `.issuerQuarantined`.
    func servingIssuer(named text: String) throws -> Issuer {
        let issuer = try issuer(named: text)
        try requireServing(issuer.name)
        return issuer
    }

    /// The published key with this kid, in whatever issuer it is.
    func issuer(publishing kid: String) throws -> Issuer {
        guard let issuer = issuers.values.first(where: { $0.ring[kid]?.state.isPublished == true }) else {
            throw LifecycleError.keyNotFound(kid)
        }
        return issuer
    }

    /// The issuer with what its active key has signed: what a change is planned from once dates are frozen, since the wall
    /// clock may have been set back after a signature.
    func accountingForSignatures(_ issuer: Issuer) -> Issuer {
        guard let active = issuer.ring.active, let latest = references[active.kid]?.latestExpiry else { return issuer }
        return issuer.havingSigned(until: latest)
    }

    /// By name.
    var allIssuers: [Issuer] {
        issuers.values.sorted { $0.name < $1.name }
    }

    // MARK: - Committing

    /// Makes a change durable, then visible, and returns the key it replaced as the signing one.
    ///
    /// - Throws: `StoreError`; after `.conflict` the registry holds what the store holds.
    @discardableResult
    func commit(_ change: IssuerChange, fulfilling keyIDs: [KeyID] = []) async throws -> KeyReference? {
        let signing = try change.issuer.map(signingState)
        do {
            try await noting { try await store.commit(change, fulfilling: keyIDs) }
        } catch let error as StoreError where error.code == .conflict {
            try await reload(change.name)
            throw error
        }
        destructions += change.destroyed.map {
            PendingDestruction(keyID: $0.keyID, issuer: change.name, requestedAt: change.at, publicKey: $0.publicKey)
        }
        for keyID in keyIDs { cutOff[keyID] = nil }
        if change.issuer == nil { formerGenerations[change.name] = change.expectedGeneration }
        for key in change.destroyed {
            references[key.kid] = nil
        }
        return show(change.issuer, signing, named: change.name)
    }

    /// Carries a change out; one that lost against another writer is planned anew on what that writer made, twice at most.
    func planningAgain<Value: Sendable>(_ change: () async throws -> Value) async throws -> Value {
        for _ in 1...2 {
            do {
                return try await change()
            } catch let error as StoreError where error.code == .conflict {
                continue
            }
        }
        return try await change()
    }

    /// Runs a store call and remembers whether the store works. What only reads does not show that it can be written again.
    func noting<Value: Sendable>(reading: Bool = false, _ call: () async throws -> Value) async throws -> Value {
        do {
            let value = try await call()
            if !reading { setStoreTrouble(nil) }
            return value
        } catch let error as StoreError {
            if error.code != .conflict { setStoreTrouble(error) }
            throw error
        }
    }

    private func setStoreTrouble(_ trouble: StoreError?) {
        guard trouble?.message != storeTrouble?.message else { return }
        storeTrouble = trouble
        if let trouble {
            log.error(
                "the store is out of use: nothing is changed, signing goes on",
                metadata: ["reason": "\(trouble)", "hint": "\(trouble.hint)"])
        } else {
            log.notice("the store is in use again")
            // What failed with the store need not wait until its next try.
            for name in unfinished.keys { unfinished[name]?.retryAt = clock.monotonicSeconds }
        }
    }

    /// Makes a committed issuer visible to signers and watchers.
    @discardableResult
    func show(_ issuer: Issuer?, _ signing: SigningState?, named name: IssuerName) -> KeyReference? {
        let generation = issuer?.generation ?? issuers[name]?.generation ?? 0
        issuers[name] = issuer
        hsmStatus.notePublished(issuer?.ring.published ?? [], of: name.text)
        let former = board.install(signing, refusing: refusal(of: name), for: name.text)
        feed.publish(name.text, generation: generation, isDeleted: issuer == nil)
        return former
    }

    /// Has watchers look at an issuer again.
    func announce(_ issuer: Issuer) {
        feed.publish(issuer.name.text, generation: issuer.generation)
    }

    func signingState(of issuer: Issuer) throws -> SigningState {
        guard let active = issuer.ring.active else {
            throw StoreError(
                .corrupt, "issuer \(issuer.name) has no active key", hint: "restore the store from a backup")
        }
        return SigningState(key: try reference(to: active), policy: ClaimsPolicy(issuer))
    }

    /// What another writer has made of an issuer.
    private func reload(_ name: IssuerName) async throws {
        let contents = try await store.contents()
        formerGenerations = contents.formerGenerations
        let issuer = contents.issuers.first { $0.name == name }
        guard issuer != issuers[name] else { return }
        show(issuer, try issuer.map(signingState), named: name)
    }

    func reference(to key: SigningKey) throws -> KeyReference {
        if let known = references[key.kid] { return known }
        let reference = try KeyReference(key)
        references[key.kid] = reference
        return reference
    }
}

/// Where it is recorded what an agent does to keys by itself.
protocol KeyJournal: Sendable {
    /// Records what is about to be done, on the disk when this returns.
    ///
    /// - Throws: when it cannot be; then it must not be done.
    func attempt(_ deed: String) async throws

    /// Records what has been done.
    func note(_ deed: String)
}

/// For what is recorded otherwise, as by the command that does it.
struct NoJournal: KeyJournal {
    func attempt(_ deed: String) async throws {}
    func note(_ deed: String) {}
}

extension LifecycleError.Code {
    static let issuerNotFound = LifecycleError.Code(rawValue: "issuer-not-found")
    static let issuerExists = LifecycleError.Code(rawValue: "issuer-exists")
    /// The store is older than the token, or may be: an operator has to decide first.
    static let issuerQuarantined = LifecycleError.Code(rawValue: "issuer-quarantined")
    static let issuerNameInvalid = LifecycleError.Code(rawValue: "issuer-name-invalid")
}

extension LifecycleError {
    /// - Parameter generation: the last of an issuer that had the name.
    static func issuerNotFound(_ name: String, deletedAt generation: Int? = nil) -> LifecycleError {
        LifecycleError(
            .issuerNotFound, "there is no issuer \"\(name.prefix(64))\"", hint: "list the issuers, or create it",
            generation: generation)
    }
}
