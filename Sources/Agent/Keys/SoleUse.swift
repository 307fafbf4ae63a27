/// Whether this agent is the only one of its deployment on the token, as far as the notes there tell.
///
/// Each agent keeps a note on the token and removes the others'. One whose note is gone looks for who has done it. An agent
/// that started later than this one is answered by putting the note back: it learns so that this one is alive. An agent that
/// started earlier and answers makes this one the later of two. No clock is asked, and a note that no agent answers for is one
/// of a process that has ended.
///
/// A pure value: it says what to write, and does nothing.
struct SoleUse: Sendable {
    enum Standing: Hashable, Sendable {
        /// No other agent is known.
        case alone
        /// Another agent has started after this one and uses the token as well. This one goes on; a person has to look.
        case earlier(than: AgentNote)
        /// Another agent was there before, with what this one took for its own. This one does nothing until told.
        case later(than: AgentNote)
    }

    /// This agent's; `nil` for who only looks.
    private(set) var own: AgentNote?
    private(set) var standing = Standing.alone
    /// Agents whose notes may be found without anybody else being there: former starts of this store, and those that an
    /// operator has accepted.
    private var known: Set<String>
    /// How often those that were there first had answered when they were first seen.
    private var baseline: [String: Int] = [:]
    private(set) var hasBegun = false

    init(own: AgentNote?, known: Set<String>) {
        self.own = own
        self.known = known
    }

    /// Takes note of what the token shows.
    ///
    /// - Returns: the note that is to be on the token now, in place of all others; `nil` when the token is to be left as it is.
    mutating func look(at notes: [AgentNote]) -> AgentNote? {
        let others = notes.filter { $0.agent != own?.agent }.sorted { $0.isLater(than: $1) }
        guard hasBegun else { return begin(others) }
        if case .later = standing { return nil }
        guard var own else { return nil }
        for other in others {
            // One that is older, or a former start of this store, may be shown only now: another one has just put its own note in
            // that one's place, or the token was restored. It is of an agent that runs once it answers.
            if !other.isLater(than: own) || known.contains(other.agent) {
                let seen = baseline[other.agent] ?? other.answers
                baseline[other.agent] = seen
                guard other.answers > seen else { continue }
            }
            guard other.isLater(than: own) else {
                standing = .later(than: other)
                return nil
            }
            standing = .earlier(than: other)
            own.answers += 1
            self.own = own
            return own
        }
        return notes.contains(own) ? nil : own
    }

    private mutating func begin(_ others: [AgentNote]) -> AgentNote? {
        hasBegun = true
        baseline = Dictionary(others.map { ($0.agent, $0.answers) }) { first, _ in first }
        // The agent that left it has used the token since this store was last in use: one of the two is a copy, or an older state.
        if let stranger = others.first(where: { !known.contains($0.agent) }) { standing = .later(than: stranger) }
        // Also then: the other one is to learn of it.
        // Never a lower one than before: an agent that was there before it would take itself for the later one.
        if let number = own?.number { own?.number = max(number, (others.first?.number ?? 0) + 1) }
        return own
    }

    /// An operator says that this agent is the one that is to use the token: the others that are known of have been stopped.
    /// The next look begins anew, so that one that has not been stopped is found out again.
    ///
    /// - Parameter notes: what the token shows.
    /// - Returns: the agents whose notes may be there from now on.
    mutating func accept(_ notes: [AgentNote]) -> Set<String> {
        var accepted = Set(notes.map(\.agent))
        switch standing {
        case .alone: break
        case .earlier(let other), .later(let other): accepted.insert(other.agent)
        }
        if let own { accepted.insert(own.agent) }
        known.formUnion(accepted)
        standing = .alone
        hasBegun = false
        return accepted
    }
}
