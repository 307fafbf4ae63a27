import KeyLifecycle

/// Which issuers have transitions queued that time has made due, and which of their rotations wait for frontends meanwhile.
struct DueTransitions: Sendable {
    enum Hold: Hashable, Sendable {
        /// Nothing holds the rotation up.
        case free
        /// It waits from now on.
        case begins
        case goesOn
        /// It has waited as long as it may.
        case ends
    }

    /// How long a rotation that is due waits for a frontend that does not serve its key: ten minutes.
    static let longestHold: Int64 = 600

    private var queued: Set<IssuerName> = []
    /// Since when rotations wait, in seconds of the monotonic clock.
    private var held: [IssuerName: Int64] = [:]

    func isQueued(_ name: IssuerName) -> Bool { queued.contains(name) }

    mutating func queue(_ name: IssuerName) {
        queued.insert(name)
    }

    /// The queued transitions have been made, or could not be.
    mutating func end(_ name: IssuerName) {
        queued.remove(name)
    }

    /// Whether a rotation that is due has to wait.
    ///
    /// - Parameter isAwaiting: whether a frontend does not serve its key yet.
    mutating func hold(_ name: IssuerName, isAwaiting: Bool, at now: Int64) -> Hold {
        guard isAwaiting else {
            held[name] = nil
            return .free
        }
        guard let since = held[name] else {
            held[name] = now
            return .begins
        }
        guard now - since >= Self.longestHold else { return .goesOn }
        held[name] = nil
        return .ends
    }
}
