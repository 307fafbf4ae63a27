import AgentProtocol

/// Whether what is served is recent enough to send clients here.
public enum Readiness: Sendable, Equatable {
    case ready
    /// The agent has not vouched for anything yet, neither now nor before a restart.
    case neverConfirmed
    /// What is served is not what the agent knows of.
    case doubtful(Standing)
    /// The agent last vouched for it this many seconds ago.
    case stale(seconds: Int64)
    /// As `stale` and `neverConfirmed`, where several agents are followed or they share their store: `seconds` since that confirmed
    /// what is served, nil if it never has, and what is known of each agent.
    case unconfirmed(seconds: Int64?, agents: [AgentAge])
    /// The clock stands this many seconds before the agent's last word, so nobody knows how old that is.
    case clockBehind(seconds: Int64)

    /// One line for people.
    public var reason: String {
        switch self {
        case .ready: "ready"
        case .doubtful(let standing): standing.reason ?? ""
        case .neverConfirmed: "no word from the agent yet"
        case .stale(let seconds): "the agent's last word is \(seconds) s old"
        case .unconfirmed(let seconds, let agents):
            (seconds.map { "what is served was last confirmed \($0) s ago" } ?? "what is served was never confirmed")
                + "; " + agents.map { "\($0.name): \($0.text)" }.joined(separator: ", ")
        case .clockBehind(let seconds): "the clock is \(seconds) s behind the agent's last word"
        }
    }

    /// Whether what is served was confirmed, and has become too old.
    var isStale: Bool {
        switch self {
        case .stale, .unconfirmed(.some, _): true
        default: false
        }
    }
}

/// How old the word of one agent is.
public struct AgentAge: Sendable, Equatable {
    /// What its word is worth.
    public enum Word: Sendable, Equatable {
        /// It has not said anything since the frontend was started.
        case none
        /// So many seconds ago its store confirmed what it says, or, where the store is its own, it last answered.
        case confirmed(secondsAgo: Int64)
        /// It is of another deployment than what is served.
        case foreign(deployment: String)
    }

    /// The path of its socket.
    public let name: String
    public let word: Word

    var text: String {
        switch word {
        case .none: "no word yet"
        case .confirmed(let seconds): "\(seconds) s ago"
        case .foreign(let deployment): "of another deployment, \(deployment)"
        }
    }
}

extension Publication {
    /// A clock that was corrected by less than this is not worth a word.
    private static let clockTolerance: Int64 = 60

    /// How many seconds old a word may be, unless `given` says.
    func staleness(_ given: Int64?) -> Int64 {
        given ?? (isShared ? Freshness.sharedStore : Freshness.ownStore)
    }

    /// Ready for `staleAfter` seconds after what is served was last confirmed, to the second; for an hour unless given, and for two minutes where
    /// agents share a store.
    ///
    /// - Parameters:
    ///   - time: that of the wall clock.
    ///   - uptime: nanoseconds of the clock that nobody sets.
    public func readiness(at time: Moment, uptime: Int64, staleAfter given: Int64?) -> Readiness {
        let limit = staleness(given)
        let standing = standing(at: uptime, staleAfter: limit)
        if standing != .vouched { return .doubtful(standing) }
        let isOne = isSingle && !isShared
        guard let age = age(at: time, uptime: uptime) else {
            return isOne ? .neverConfirmed : .unconfirmed(seconds: nil, agents: ages(at: uptime))
        }
        if age > limit { return isOne ? .stale(seconds: age) : .unconfirmed(seconds: age, agents: ages(at: uptime)) }
        return age < -Self.clockTolerance ? .clockBehind(seconds: -age) : .ready
    }

    /// The seconds that a document may be kept where a shared store has confirmed what is served: what is left of `staleAfter`. Nil where
    /// none has.
    func secondsLeft(at time: Moment, uptime: Int64, staleAfter given: Int64?) -> Int64? {
        guard isShared, let age = age(at: time, uptime: uptime) else { return nil }
        let limit = staleness(given)
        return min(limit, max(0, limit - age))
    }

    /// The seconds since what is served was last confirmed, negative when the wall clock stands before that; nil when it never was.
    ///
    /// What a shared store has confirmed since the start goes by the clock that nobody sets.
    private func age(at time: Moment, uptime: Int64) -> Int64? {
        if isShared, let asOf { return Freshness.seconds(from: asOf, to: uptime) }
        // What began of a second counts where it is said to be the most there can be.
        let begun: Int64 = isShared && time.nanoseconds > 0 ? 1 : 0
        return confirmedAt.map { time.seconds + begun - $0.seconds }
    }

    /// How old the word of each agent is.
    func ages(at uptime: Int64) -> [AgentAge] {
        agents.map { agent in
            let word: AgentAge.Word =
                if case .foreign(let deployment) = agent.identity {
                    .foreign(deployment: deployment)
                } else {
                    agent.asOf.map { .confirmed(secondsAgo: Freshness.seconds(from: $0, to: uptime)) } ?? .none
                }
            return AgentAge(name: agent.name, word: word)
        }
    }
}
