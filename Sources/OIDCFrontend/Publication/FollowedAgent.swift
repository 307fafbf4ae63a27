/// What one of the agents that are followed has said, as far as it counts for what is served.
struct FollowedAgent: Sendable {
    /// Whose issuers it speaks of.
    enum Identity: Sendable, Equatable {
        /// It has not said.
        case unmet
        /// Nil from an agent that does not say, which then counts as one of the deployment there is.
        case met(deployment: String?)
        /// Another deployment's than what is served is of: nothing of its word counts.
        case foreign(deployment: String)
    }

    /// Why an agent does not vouch for an issuer as it is served.
    enum Lag: Sendable {
        /// Another agent has said it first, and this one has not been asked.
        case unasked
        /// It knows an earlier generation.
        case behind
        /// It knows nothing of it, neither that it is there nor that it was deleted.
        case unnamed
    }

    /// Its socket's path, for people.
    let name: String
    var identity = Identity.unmet
    /// The issuers that it has said as they are served.
    private(set) var vouched: Set<String> = []
    /// The issuers that are served otherwise than it has said. One it has in quarantine, or would not hand out, is in neither.
    private(set) var lagging: [String: Lag] = [:]
    /// Issuers it would not hand out, or not in a form that can be served: it may know a newer generation.
    var refused: Set<String> = []
    /// Issuers it lists that another agent has said to be deleted.
    var heldBack: Set<String> = []
    /// The moment its word is as of, in nanoseconds of the clock that nobody sets: when its view of a shared store was confirmed,
    /// or when it last answered, where the store is its own. Nil before the first word.
    private(set) var asOf: Int64?
    /// Whether its last answer said when a store that several share confirmed its view.
    private(set) var isShared = false
    /// What is served otherwise than it was told, since another agent has said it.
    private(set) var unacknowledged: Set<String> = []
    /// Issuers to ask it about, since another agent has named them.
    private(set) var toAsk: Set<String> = []

    init(name: String) {
        self.name = name
    }

    /// Whether there is something to tell it or to ask it.
    var hasNews: Bool { !unacknowledged.isEmpty || !toAsk.isEmpty }

    /// What it is to be asked about at each sign of life.
    var questions: Set<String> { refused.union(heldBack).union(lagging.keys) }

    mutating func vouch(_ issuer: String) {
        vouched.insert(issuer)
        lagging[issuer] = nil
        heldBack.remove(issuer)
        toAsk.remove(issuer)
    }

    mutating func lag(_ lag: Lag, _ issuer: String) {
        vouched.remove(issuer)
        lagging[issuer] = lag
        toAsk.remove(issuer)
    }

    /// It says nothing of the issuer, neither for what is served nor against it.
    mutating func abstain(_ issuer: String) {
        vouched.remove(issuer)
        lagging[issuer] = nil
        heldBack.remove(issuer)
        toAsk.remove(issuer)
    }

    /// What it has said of the issuer is in doubt.
    mutating func doNotVouch(_ issuer: String) {
        vouched.remove(issuer)
    }

    /// The issuer is not served any more.
    mutating func forget(_ issuer: String) {
        abstain(issuer)
        unacknowledged.remove(issuer)
    }

    /// Another agent has said a higher generation, or named an issuer that was not served.
    mutating func fallBehind(_ issuer: String, isNew: Bool) {
        unacknowledged.insert(issuer)
        if vouched.remove(issuer) != nil {
            lagging[issuer] = .behind
        } else if isNew, lagging[issuer] == nil, !refused.contains(issuer) {
            lagging[issuer] = .unasked
            toAsk.insert(issuer)
        }
    }

    /// It is to be asked about an issuer that somebody gave up.
    mutating func ask(_ issuer: String) {
        toAsk.insert(issuer)
    }

    mutating func takeNews() -> (unacknowledged: Set<String>, toAsk: Set<String>) {
        defer { (unacknowledged, toAsk) = ([], []) }
        return (unacknowledged, toAsk)
    }

    /// A connection to it begins: it will be asked about all that is served and all that it names.
    mutating func begin(_ identity: Identity) {
        self.identity = identity
        (refused, heldBack) = ([], [])
        _ = takeNews()
        if case .foreign = identity { (vouched, lagging, asOf, isShared) = ([], [:], nil, false) }
    }

    /// Takes what an answer said of its store, to a request that was sent at `sentAt`.
    mutating func hear(_ view: StoreView, sentAt: Int64) {
        switch view {
        case .unsaid: return
        case .own: isShared = false
        case .shared:
            let confirmed = view.asOf(sentAt: sentAt) ?? sentAt
            // What it was as of when the store was its own is no word of the shared one.
            asOf = isShared ? max(asOf ?? confirmed, confirmed) : confirmed
            isShared = true
        }
    }

    /// Everything it has said until now is taken.
    mutating func speak(at uptime: Int64) {
        if !isShared { asOf = uptime }
    }
}
