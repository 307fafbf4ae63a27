import IssuerStore
import KeyLifecycle

/// What the token is to this agent and its store: whether it has been looked at and has shown a key of the store, which issuers
/// may serve, and whether another agent uses it.
///
/// A value: it is told what the token has shown, says what follows from that, and reads nothing itself. What was proven of a
/// token holds for one initialisation of the module, so the number of the present one is asked for wherever that matters.
struct TokenStanding: Sendable {
    /// Seconds between looks at a token that could not be looked at.
    private static let checkInterval: Int64 = 1

    /// The token that last showed a key of this store.
    private(set) var knownToken: TokenIdentity?
    /// When the store was copied from another, as long as no operator has settled what the other did since.
    private(set) var copiedAt: Timestamp?
    /// Whether the token has been looked at as a whole since the start. Until then the store may be older than it.
    private(set) var isChecked = false
    /// Issuers that do nothing until an operator has decided about them, and why. Another agent that was there first is not
    /// among the reasons: it concerns every issuer.
    private(set) var quarantine: [IssuerName: Quarantine] = [:]
    /// Issuers of a shared store that do nothing as long as the store, or the token, shows what it shows, and why.
    private(set) var storeDoubts: [IssuerName: Quarantine] = [:]
    /// Why a shared store is not believed at all, if it is not.
    private(set) var storeDoubt: Quarantine?
    /// What the token has shown when it was last looked at as a whole.
    private(set) var lastPlan: ReconciliationPlan?
    /// Who else uses it.
    var agents: OtherAgents
    /// The initialisation of the module under which the token has shown a key of this store.
    private var provenGeneration: Int?
    /// That under which the token was last looked at for keys of this store.
    private var examinedGeneration: Int?
    /// When a look that failed is to be repeated, in seconds of the monotonic clock.
    private var nextCheck: Int64 = 0

    /// - Parameter note: this agent's own; `nil` for one that leaves none.
    init(note: AgentNote?) {
        agents = OtherAgents(own: note)
    }

    /// Takes what the store knows. Of a copy every issuer is in quarantine.
    mutating func load(_ contents: StoreContents) {
        knownToken = contents.token
        copiedAt = contents.copiedAt
        agents = OtherAgents(own: agents.own, known: contents.agents)
        guard let copiedAt else { return }
        quarantine = Dictionary(uniqueKeysWithValues: contents.issuers.map { ($0.name, .copiedStore(copiedAt)) })
    }
}

// MARK: - Looking at the token

extension TokenStanding {
    /// The token has been looked at as a whole, for whatever reason.
    mutating func note(_ plan: ReconciliationPlan) {
        lastPlan = plan
    }

    /// What the first look at the token means for the issuers. One that serves already goes on serving whatever a later look
    /// shows: it is told in `health`, and counts at the next start.
    mutating func adopt(_ plan: ReconciliationPlan) {
        examinedGeneration = plan.tokenGeneration
        quarantine = plan.quarantine.filter { !isChecked || quarantine[$0.key] != nil }
        isChecked = true
    }

    /// The token could not be looked at.
    mutating func postponeCheck(at now: Int64) {
        nextCheck = now + Self.checkInterval
    }

    /// Whether the token has to be looked at now: for the first time, because the module was initialised anew, or because it
    /// may be another one than that which put issuers in quarantine.
    func isCheckDue(at now: Int64, tokenGeneration: Int, hasIssuers: Bool) -> Bool {
        guard nextCheck <= now else { return false }
        return !isChecked
            || (!mayTouch(tokenGeneration: tokenGeneration, hasIssuers: hasIssuers)
                && !isExamined(tokenGeneration: tokenGeneration))
            || (!quarantine.isEmpty && copiedAt == nil && lastPlan?.tokenGeneration != tokenGeneration)
    }

    /// The token has been searched for keys of this store, and may have shown none.
    mutating func noteExamined(tokenGeneration: Int) {
        examinedGeneration = tokenGeneration
    }

    /// Whether the token, as it is now, has been searched for keys of this store.
    func isExamined(tokenGeneration: Int) -> Bool {
        examinedGeneration == tokenGeneration
    }

    /// The token has shown a key of this store.
    mutating func noteProven(tokenGeneration: Int) {
        provenGeneration = tokenGeneration
    }

    /// The store knows from now on which token that was.
    mutating func noteKnown(_ token: TokenIdentity) {
        knownToken = token
    }

    /// Whether the token, as it is now, has shown a key of this store.
    func isProven(tokenGeneration: Int) -> Bool {
        provenGeneration == tokenGeneration
    }

    /// Whether keys may be made and destroyed: not on a token that holds none of the store's keys, unless the store has none.
    func mayTouch(tokenGeneration: Int, hasIssuers: Bool) -> Bool {
        isProven(tokenGeneration: tokenGeneration) || !hasIssuers
    }

    /// Whether it is by name and number the token that last showed a key: with no issuer left, no key can prove it.
    func isKnown(_ token: TokenIdentity) -> Bool {
        token == knownToken && !token.serial.isEmpty
    }
}

// MARK: - What that means for issuers

extension TokenStanding {
    /// Whether any issuer signs, as far as the token's standing says so.
    var maySign: Bool { isChecked && agents.rival == nil }

    /// Why an issuer does nothing, if it does not.
    func quarantine(of name: IssuerName) -> Quarantine? {
        rivalry ?? storeDoubt ?? quarantine[name] ?? storeDoubts[name]
    }

    /// Every issuer that does nothing, and why.
    ///
    /// - Parameter names: of all issuers of the store.
    func quarantine(among names: some Sequence<IssuerName>) -> [IssuerName: Quarantine] {
        guard let reason = rivalry ?? storeDoubt else { return quarantine.merging(storeDoubts) { first, _ in first } }
        return Dictionary(uniqueKeysWithValues: names.map { ($0, reason) })
    }

    /// Whether what the store has of some issuer cannot be believed.
    var isAnyRecordUnbelieved: Bool { storeDoubts.values.contains { $0.isOfStore } }

    /// Why no key is made or destroyed, for whatever issuer, if none is.
    var standstill: Quarantine? {
        rivalry ?? storeDoubt ?? copiedAt.map { .copiedStore($0) }
    }

    /// What requests for signatures get instead, if anything.
    func refusal(of name: IssuerName) -> SigningRefusal? {
        if let why = quarantine(of: name) { return .issuer(.quarantined(name, why)) }
        return isChecked ? nil : .hsm(.unchecked)
    }

    /// Takes what a view of a shared store says of itself.
    mutating func doubt(_ view: StoreView, among names: some Sequence<IssuerName>) {
        storeDoubt = nil
        storeDoubts = storeDoubts.filter { !$0.value.isOfStore }
        // Another cluster counts its revisions anew: of two reasons the first one says more.
        for regression in view.regressions {
            switch regression {
            case .cluster(let known, let now):
                storeDoubt = storeDoubt ?? .storeWentBack("it is in the etcd cluster \(now), and was in \(known)")
            case .revision(let known, let now):
                storeDoubt = storeDoubt ?? .storeWentBack("etcd is at revision \(now), and was at \(known)")
            case .decision(let known, let now):
                storeDoubt = .storeWentBack(
                    "somebody without a session with the token has written that an operator had decided (epoch \(now) after \(known))"
                )
            case .generation(let text, let known, let now):
                guard let name = IssuerName(text) else { continue }
                storeDoubts[name] = .storeWentBack("the issuer is at generation \(now), and was at \(known)")
            }
        }
        for (name, why) in view.unreadable { storeDoubts[name] = .unbelievable(why) }
    }

    /// What the store has of an issuer is not gone by for now; with `nil`, it is.
    mutating func doubt(_ name: IssuerName, _ why: Quarantine?) {
        storeDoubts[name] = why
    }

    private var rivalry: Quarantine? {
        agents.rival.map { .anotherAgent($0.whose) }
    }
}
