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
    /// The clock stands this many seconds before the agent's last word, so nobody knows how old that is.
    case clockBehind(seconds: Int64)

    /// One line for people.
    public var reason: String {
        switch self {
        case .ready: "ready"
        case .doubtful(let standing): standing.reason ?? ""
        case .neverConfirmed: "no word from the agent yet"
        case .stale(let seconds): "the agent's last word is \(seconds) s old"
        case .clockBehind(let seconds): "the clock is \(seconds) s behind the agent's last word"
        }
    }
}

extension Publication {
    /// A clock that was corrected by less than this is not worth a word.
    private static let clockTolerance: Int64 = 60

    /// Ready for `staleAfter` seconds after the agent's last word, to the second.
    public func readiness(at time: Moment, staleAfter: Int64) -> Readiness {
        if standing != .vouched { return .doubtful(standing) }
        guard let confirmedAt else { return .neverConfirmed }
        let age = time.seconds - confirmedAt.seconds
        if age > staleAfter { return .stale(seconds: age) }
        return age < -Self.clockTolerance ? .clockBehind(seconds: -age) : .ready
    }
}
