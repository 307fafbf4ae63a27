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
    /// Follows the store, where other agents change it as well; `nil` where it is this agent's alone.
    let fleet: StoreFollower?
    /// Records what is done to keys that no caller asked for.
    let journal: any KeyJournal
    /// Whether other agents change the store as well, so that each change is recorded with what the store says of it.
    let isStoreShared: Bool

    private(set) var issuers: [IssuerName: Issuer] = [:]
    /// The last generation of each deleted issuer.
    var formerGenerations: [IssuerName: Int] = [:]
    private(set) var references: [String: KeyReference] = [:]
    /// Why the store could not be used the last time; `nil` when it could.
    private(set) var storeTrouble: StoreError?
    /// Looks at what is outside the registry that are under way.
    private var looks: [Look: Task<Void, Never>] = [:]

    // What follows are values with rules of their own: extensions tell them what has happened and ask what follows from it.

    /// What the token is to this agent and its store.
    var standing: TokenStanding
    /// What is to be done about keys that no ring holds.
    var obligations = KeyObligations()
    /// Work on the token that failed.
    var retries = RetrySchedule()
    /// What time has made due.
    var due = DueTransitions()
    /// Whether the wall clock may be acted on.
    var clockGuard = ClockGuard(lastChange: nil)
    var frontends = NotedFrontends()
    var urls: IssuerURLs
    /// What is known of changes and keys that other agents have a part in.
    var shared = SharedKnowledge()

    init(
        store: any IssuerStorage, custody: any KeyCustody, hsmStatus: HSMStatus, clock: AgentClock, publicBaseURL: String,
        log: Logger, journal: any KeyJournal = NoJournal(), feed: ChangeFeed = ChangeFeed(), note: AgentNote? = nil,
        fleet: StoreFollower? = nil
    ) {
        self.store = store
        isStoreShared = store is any SharedIssuerStorage
        self.custody = custody
        queue = ChangeQueue { custody.boost() }
        self.hsmStatus = hsmStatus
        self.clock = clock
        self.log = log
        self.journal = journal
        self.feed = feed
        self.fleet = fleet
        standing = TokenStanding(note: note)
        urls = IssuerURLs(publicBaseURL: publicBaseURL, tenant: store.deployment.tenant)
    }

    /// Reads the store. Nothing is signed before the token has been looked at.
    ///
    /// - Throws: `StoreError`.
    func load() async throws {
        if let fleet { return try await load(followedBy: fleet) }
        try load(try await store.contents())
    }

    func load(_ contents: StoreContents) throws {
        clockGuard = ClockGuard(lastChange: contents.lastChange)
        clockGuard.observe(wall: clock.wall(), monotonic: clock.monotonicSeconds)
        obligations.load(contents)
        standing.load(contents)
        frontends = NotedFrontends(count: contents.frontends)
        formerGenerations = contents.formerGenerations
        for issuer in contents.issuers {
            show(issuer, try signingState(of: issuer), named: issuer.name)
        }
    }

    // MARK: - Reading

    func issuer(named text: String) throws -> Issuer {
        guard let name = IssuerName(text) else { throw LifecycleError.issuerNotFound(text) }
        guard let issuer = issuers[name] else { throw LifecycleError.issuerNotFound(text, deletedAt: formerGenerations[name]) }
        return issuer
    }

    /// Those of the names that are or were an issuer's.
    func knownNames(among names: [String]) -> Set<String> {
        Set(names.filter { name in IssuerName(name).map { issuers[$0] != nil || formerGenerations[$0] != nil } ?? false })
    }

    /// An issuer whose keys may be used and changed.
    ///
    /// - Throws: `LifecycleError`: `.issuerNotFound`, `.issuerQuarantined`.
    func servingIssuer(named text: String) throws -> Issuer {
        let issuer = try issuer(named: text)
        try requireServing(issuer.name)
        return issuer
    }

    /// - Throws: `LifecycleError` with `.issuerQuarantined`.
    func requireServing(_ name: IssuerName) throws {
        if let why = standing.quarantine(of: name) { throw LifecycleError.quarantined(name, why) }
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
        let own = issuer.ring.active.flatMap { references[$0.kid]?.latestExpiry }
        // The others sign by their clocks, however far behind this one is.
        let ahead = max(shared.clockDifferences.values.max() ?? 0, 0)
        let now = clockGuard.latest(wall: clock.wall(), monotonic: clock.monotonicSeconds) + ahead
        guard let latest = [own, fleet?.latestExpiry(of: issuer, at: now)].compactMap(\.self).max() else { return issuer }
        return issuer.havingSigned(until: latest)
    }

    /// By name.
    var allIssuers: [Issuer] {
        issuers.values.sorted { $0.name < $1.name }
    }

    /// An issuer as callers are shown it: with why it does nothing, if it does not.
    func shownIssuer(named text: String) throws -> (issuer: Issuer, quarantine: Quarantine?) {
        let issuer = try issuer(named: text)
        return (issuer, standing.quarantine(of: issuer.name))
    }

    /// Every issuer that does nothing, and why.
    var quarantinedIssuers: [IssuerName: Quarantine] { standing.quarantine(among: issuers.keys) }

    /// Whether the token has shown a key of this store since the module was last initialised.
    var isTokenProven: Bool { standing.isProven(tokenGeneration: custody.tokenGeneration) }

    /// Whether keys may be made and destroyed: not on a token that holds none of the store's keys, unless the store has none.
    var mayTouchToken: Bool { standing.mayTouch(tokenGeneration: custody.tokenGeneration, hasIssuers: !issuers.isEmpty) }

    // MARK: - Committing

    /// Makes a change durable, then visible.
    ///
    /// - Throws: `AuditError` when it cannot be recorded: it is not made then. `StoreError`; after `.conflict` the registry holds what the store holds.
    @discardableResult
    func commit(_ change: IssuerChange, fulfilling keyIDs: [KeyID] = []) async throws -> CommittedChange {
        let record = AuditChange(change, before: issuers[change.name])
        if isStoreShared { try await journal.begin(record) }
        let signing = try change.issuer.map(signingState)
        let before = issuers[change.name]?.ring.active.flatMap { references[$0.kid] }
        shared.begin(change)
        let place: StorePosition?
        do {
            place = try await noting { try await store.commit(change, fulfilling: keyIDs) }.map(position)
        } catch let error as StoreError {
            if isStoreShared { journal.end(record.at(error.code == .undecided ? .undecided : .lost)) }
            if error.code == .conflict || error.code == .undecided { try await reload(change.name) }
            throw error
        }
        if isStoreShared { journal.end(record.at(.made, revision: place?.revision)) }
        shared.end(change, place)
        obligations.follow(change, fulfilling: keyIDs)
        for key in change.destroyed {
            references[key.kid] = nil
        }
        // Of a store that is shared, what was made of the issuer since may have been shown meanwhile.
        guard max(issuers[change.name]?.generation ?? 0, formerGenerations[change.name] ?? 0) < change.generation else {
            let isReplaced = before?.kid != issuers[change.name]?.ring.active?.kid
            return CommittedChange(former: isReplaced ? before : nil, place: place)
        }
        if change.issuer == nil { formerGenerations[change.name] = change.expectedGeneration }
        return CommittedChange(former: show(change.issuer, signing, named: change.name), place: place)
    }

    /// Makes a change; one that lost against another writer is planned anew on what that writer made, twice at most. Where several
    /// agents share the store, each may have something to do for the issuer at the same moment, and it is tried more often.
    func planningAgain<Value: Sendable>(_ change: () async throws -> Value) async throws -> Value {
        for _ in 1...(fleet == nil ? 2 : 8) {
            do {
                return try await change()
            } catch let error where error.isLostRace && (error is StoreError || fleet != nil) {
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
            let consequence =
                fleet == nil ? "signing goes on" : "signing goes on until it has not confirmed anything for too long"
            log.error(
                "the store is out of use: nothing is changed, \(consequence)",
                metadata: ["reason": "\(trouble)", "hint": "\(trouble.hint)"])
        } else {
            log.notice("the store is in use again")
            // What failed with the store need not wait until its next try.
            retries.hasten(at: clock.monotonicSeconds)
        }
    }

    /// Makes a committed issuer visible to signers and watchers.
    ///
    /// - Returns: the key that signed before, if another one does now, or none.
    @discardableResult
    func show(_ issuer: Issuer?, _ signing: SigningState?, named name: IssuerName) -> KeyReference? {
        // Another agent may have deleted it at a generation that has not been shown.
        let generation = issuer?.generation ?? max(issuers[name]?.generation ?? 0, formerGenerations[name] ?? 0)
        issuers[name] = issuer
        hsmStatus.notePublished(issuer?.ring.published ?? [], of: name.text)
        let former = board.install(signing, refusing: standing.refusal(of: name), for: name.text)
        feed.publish(name.text, generation: generation, isDeleted: issuer == nil)
        noteShown(issuer, named: name, outgoing: former)
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
        if let fleet { return await lookUntilProven(name, fleet) }
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

    /// A key signs no more, and is not asked about again.
    func forgetReference(to kid: String) {
        references[kid] = nil
    }

    // MARK: - Looking around

    /// What is looked at beside the changes of issuers, since it may take as long as a disk or a token does.
    enum Look: Hashable, Sendable {
        case store, token, otherAgents, frontends
    }

    /// Begins a look, unless one of its kind is under way.
    func begin(_ look: Look) {
        guard looks[look] == nil else { return }
        looks[look] = Task {
            switch look {
            case .store: await lookAfterStore()
            case .token: await checkToken()
            case .otherAgents: await lookForOtherAgents()
            case .frontends: await noteFrontends()
            }
            looks[look] = nil
        }
    }

    func isUnderWay(_ look: Look) -> Bool { looks[look] != nil }

    /// Returns once the look that is under way, if one is, has ended.
    func ending(of look: Look) async {
        await looks[look]?.value
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

    /// Records what is about to be asked of a store that several agents share, on the disk when this returns.
    ///
    /// - Throws: when it cannot be; then it must not be done.
    func begin(_ change: AuditChange) async throws

    /// Records what came of it.
    func end(_ change: AuditChange)
}

/// For what is recorded otherwise, as by the command that does it.
struct NoJournal: KeyJournal {
    func attempt(_ deed: String) async throws {}
    func note(_ deed: String) {}
    func begin(_ change: AuditChange) async throws {}
    func end(_ change: AuditChange) {}
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

    static func issuerExists(_ name: IssuerName) -> LifecycleError {
        LifecycleError(.issuerExists, "issuer \"\(name)\" exists already", hint: "update it, or choose another name")
    }

    static func quarantined(_ name: IssuerName, _ why: Quarantine) -> LifecycleError {
        LifecycleError(.issuerQuarantined, "the issuer \(name) is in quarantine: \(why.reason)", hint: why.hint)
    }
}
