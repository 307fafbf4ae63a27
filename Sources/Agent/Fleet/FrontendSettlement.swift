import IssuerStore

/// How a frontend, or those of an agent that are not named, came to serve what a change publishes.
struct FrontendSettlement: Hashable, Sendable {
    enum Outcome: Hashable, Sendable {
        /// It has said that it serves nothing from before.
        case served
        /// It has not said so yet. Relying parties may be given what was before, and keep it, for so many seconds at most.
        case pending(staleFor: Int)
        /// It follows the agent no more, and may serve what was before for as long.
        case gone(staleFor: Int)
    }

    let frontend: FollowingFrontend
    var outcome: Outcome
    /// Milliseconds from the commit to when it was known that it serves it.
    var milliseconds = 0

    var isPending: Bool {
        if case .pending = outcome { true } else { false }
    }
}

/// Waits, as a value, for the frontends of one agent to serve what a change publishes.
///
/// Who follows the agent when it is first asked is waited for: one that comes later is given what is published then. A frontend
/// turns unready `staleAfter` seconds after what it serves was last confirmed, and that was before the change.
struct FrontendSettling: Sendable {
    private let issuer: String
    private let committedAt: Int64
    /// Seconds that a relying party keeps what it was given, where a frontend does not see to it that this ends with its readiness.
    private let caching: Int
    private(set) var frontends: [FrontendSettlement]

    /// - Parameters:
    ///   - committedAt: when the commit was known to be made, in nanoseconds of the monotonic clock.
    ///   - caching: seconds.
    init(_ issuer: String, followers: [FollowingFrontend], committedAt: Int64, caching: Int = 0, now: Int64) {
        self.issuer = issuer
        self.committedAt = committedAt
        self.caching = caching
        frontends = followers.map { FrontendSettlement(frontend: $0, outcome: .pending(staleFor: 0)) }
        look(at: now)
    }

    /// Takes who follows the agent and does not serve the issuer as of the change, or of a later one.
    mutating func take(_ followers: [FollowingFrontend], now: Int64) {
        let isAnyBehind = followers.contains { $0.unserved.contains(issuer) }
        for index in frontends.indices where frontends[index].isPending {
            let name = frontends[index].frontend.name
            if let found = followers.first(where: { $0.name == name }) {
                if !found.unserved.contains(issuer) { serve(index, now) }
            } else if name != nil {
                frontends[index].outcome = .gone(staleFor: 0)
            } else if !isAnyBehind {
                // Those that are left of them are named by now.
                serve(index, now)
            }
        }
        look(at: now)
    }

    /// Its agent takes part no more.
    mutating func leave(now: Int64) {
        for index in frontends.indices where frontends[index].isPending { frontends[index].outcome = .gone(staleFor: 0) }
        look(at: now)
    }

    /// Time has passed.
    mutating func look(at now: Int64) {
        for index in frontends.indices {
            let end = committedAt + Int64(frontends[index].frontend.staleAfter + caching) * 1_000_000_000
            let seconds = Int(max(end - now, 0) + 999_999_999) / 1_000_000_000
            switch frontends[index].outcome {
            case .served: break
            case .pending: frontends[index].outcome = .pending(staleFor: seconds)
            case .gone: frontends[index].outcome = .gone(staleFor: seconds)
            }
        }
    }

    private mutating func serve(_ index: Int, _ now: Int64) {
        frontends[index].outcome = .served
        frontends[index].milliseconds = Int(clamping: max(now - committedAt, 0) / 1_000_000)
    }
}
