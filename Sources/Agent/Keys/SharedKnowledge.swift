import IssuerStore
import KeyLifecycle

/// What this agent knows of a store that others change as well, beside what the store shows: which of its own changes a view may
/// not show yet, at which revision each issuer was as it is, which keys the token was seen to hold.
///
/// A value. With a store of one's own it is told and never asked.
struct SharedKnowledge: Sendable {
    /// Changes of this agent, begun and ended.
    private(set) var changes = 0
    /// Which of them concerned an issuer last.
    private var lastChange: [IssuerName: Int] = [:]
    /// Where an issuer was as it is.
    private var positions: [IssuerName: StorePosition] = [:]
    /// The generation at which another agent has had another key of an issuer sign, last.
    private var foreignRotations: [IssuerName: Int] = [:]
    /// By kid, of published keys: the token shows the private half, held as the custody rules want it.
    private var held: Set<String> = []
    /// Issuers of which the token does not show every key, and since when, in seconds of the monotonic clock.
    private var unproven: [IssuerName: Int64] = [:]
    /// Intents of other agents, by their incarnation.
    private(set) var foreignIntents: [GenerationIntent] = []
    /// Other agents whose wall clock is another than this one's, with the difference in seconds.
    var clockDifferences: [String: Int] = [:]
    var neglected = NeglectedWork()
    /// Issuers with revocations that another agent has begun.
    var leftRevocations = NeglectedWork()

    // MARK: - Own changes

    mutating func begin(_ change: IssuerChange) {
        changes += 1
        lastChange[change.name] = changes
    }

    mutating func end(_ change: IssuerChange, _ position: StorePosition?) {
        begin(change)
        // A view may have shown it before this agent knew that it was made.
        if foreignRotations[change.name] == change.generation { foreignRotations[change.name] = nil }
        if let position { note(position, of: change.name) }
    }

    /// Whether this agent has begun or ended a change of the issuer since.
    func hasChanged(_ name: IssuerName, since mark: ViewMark) -> Bool {
        (lastChange[name] ?? 0) > mark.changes
    }

    /// Another agent has had another key of the issuer sign.
    mutating func noteRotatedElsewhere(_ name: IssuerName, at generation: Int) {
        foreignRotations[name] = generation
    }

    func isRotatedElsewhere(_ name: IssuerName, since generation: Int) -> Bool {
        (foreignRotations[name] ?? 0) > generation
    }

    func hasChangedAnything(since mark: ViewMark) -> Bool { changes > mark.changes }

    // MARK: - Positions

    mutating func note(_ position: StorePosition, of name: IssuerName) {
        if position.revision > positions[name]?.revision ?? 0 { positions[name] = position }
    }

    /// Where the issuer was as it is now.
    func position(of name: IssuerName) -> StorePosition? { positions[name] }

    // MARK: - Keys

    /// Seconds that a token may take to show what another agent has made on it.
    static let tokenPatience: Int64 = 10

    /// The token does not show every key of an issuer.
    ///
    /// - Returns: whether it may do so a moment later.
    mutating func noteUnproven(_ name: IssuerName, at now: Int64) -> Bool {
        let since = unproven[name] ?? now
        unproven[name] = since
        return now - since < Self.tokenPatience
    }

    mutating func noteProven(_ name: IssuerName) { unproven[name] = nil }

    func isUnproven(_ name: IssuerName) -> Bool { unproven[name] != nil }

    /// Whether the token could not say anything of a seal.
    private var isSealUnproven = false

    /// Issuers as the store was last seen to have them, which may be further on than what is shown.
    private var seen: [IssuerName: Issuer] = [:]

    /// Takes what a view says, whether it is gone by or not.
    mutating func note(_ view: StoreView) {
        isSealUnproven = !view.unverified.isEmpty || view.isDecisionUnproven
        seen = Dictionary(view.contents.issuers.map { ($0.name, $0) }) { first, _ in first }
    }

    /// Whether every issuer is known as the store has it.
    var isStoreBelieved: Bool { !isSealUnproven }

    /// Issuers by the later of what is shown and what the store was seen to have.
    func newest(_ shown: [IssuerName: Issuer]) -> [Issuer] {
        Array(seen.merging(shown) { $0.generation > $1.generation ? $0 : $1 }.values)
    }

    /// Whether the store was last seen to have more of an issuer than this.
    func isBehind(_ shown: Issuer) -> Bool { seen[shown.name].map { $0.generation > shown.generation } ?? false }

    var isAnyUnproven: Bool { !unproven.isEmpty || isSealUnproven }

    mutating func noteHeld(_ kid: String) { held.insert(kid) }

    func isHeld(_ kid: String) -> Bool { held.contains(kid) }

    /// Keeps what is said of keys that are published.
    mutating func keep(_ kids: Set<String>) { held.formIntersection(kids) }

    mutating func take(intents: [GenerationIntent], own: String) {
        foreignIntents = intents.filter { !$0.isTombstone && $0.incarnation != own }
    }

    mutating func drop(intent keyID: KeyID) {
        foreignIntents.removeAll { $0.keyID == keyID }
    }
}

/// What is left to do for issuers, and by nobody done for a while: a standby key to be made, a key to be destroyed, a generation
/// that was cut off. Whoever made the change does it at once; the others only when that one has not.
struct NeglectedWork: Sendable {
    /// Seconds that whoever made a change is left alone with what it leaves to do.
    static let patience: Int64 = 15

    private var since: [IssuerName: Int64] = [:]

    /// - Parameters:
    ///   - names: the issuers with something left to do.
    ///   - lateness: seconds by which this agent is later than others.
    ///   - now: in seconds of the monotonic clock.
    /// - Returns: those that are to be looked after now.
    mutating func look(_ names: Set<IssuerName>, lateness: (IssuerName) -> Int64, at now: Int64) -> [IssuerName] {
        since = since.filter { names.contains($0.key) }
        var due: [IssuerName] = []
        for name in names.sorted() {
            guard let began = since[name] else {
                since[name] = now
                continue
            }
            guard now - began >= Self.patience + lateness(name) else { continue }
            since[name] = now
            due.append(name)
        }
        return due
    }
}
