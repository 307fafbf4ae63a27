import AgentProtocol

/// How what is served stands to what the agents know of.
///
/// Documents are given up for an issuer that its own deployment has deleted, and for nothing else: an agent whose store was lost
/// or restored, or that may not tell, must not take relying parties' keys away.
public enum Standing: Sendable, Equatable {
    /// There is an agent for every issuer that knows of it.
    case vouched
    /// Every agent is of another deployment, and knows of none.
    case foreign(deployment: String)
    /// The one agent knows nothing of these issuers, neither that they are there nor that they were deleted, or it knows them only as
    /// they were before. In order, at least one.
    case unnamed([String])
    /// As `unnamed`, of several agents, none of which vouches for these issuers.
    case unvouched([String])

    /// Why clients should not be sent here; one line. Nil when they may.
    var reason: String? {
        switch self {
        case .vouched: nil
        case .foreign(let deployment):
            "the agent is of another deployment, \(deployment), and says nothing of what is served here; see privyseal-issuer accept"
        case .unnamed(let issuers):
            "the agent knows nothing of \(issuers.count) issuers that are served here, such as \(issuers[0]); see privyseal-issuer accept"
        case .unvouched(let issuers):
            "no agent knows \(issuers.count) issuers as they are served here, such as \(issuers[0]); see privyseal-issuer accept"
        }
    }
}

extension Publication {
    /// - Parameters:
    ///   - uptime: nanoseconds of the clock that nobody sets.
    ///   - limit: the seconds for which an agent that is away, or cut off from its store, goes on vouching for what it has said.
    func standing(at uptime: Int64, staleAfter limit: Int64) -> Standing {
        let foreign = agents.compactMap { agent in
            if case .foreign(let deployment) = agent.identity { deployment } else { nil }
        }
        if foreign.count == agents.count, let deployment = foreign.first { return .foreign(deployment: deployment) }
        let issuers = doubted(at: uptime, staleAfter: limit).sorted()
        guard !issuers.isEmpty else { return .vouched }
        return isSingle ? .unnamed(issuers) : .unvouched(issuers)
    }

    /// The issuers that an agent knows otherwise than they are served, and no other agent as they are.
    func doubted(at uptime: Int64, staleAfter limit: Int64) -> Set<String> {
        var issuers: Set<String> = []
        for agent in agents.indices where isOwn(agent) {
            for (issuer, lag) in agents[agent].lagging
            where lag != .unasked && !isVouched(issuer, at: uptime, staleAfter: limit) { issuers.insert(issuer) }
        }
        return issuers
    }

    private func isVouched(_ issuer: String, at uptime: Int64, staleAfter limit: Int64) -> Bool {
        agents.indices.contains { agent in
            // One that has not finished its first word is just being heard.
            isOwn(agent) && agents[agent].vouched.contains(issuer)
                && agents[agent].asOf.map { !Freshness.isOver(limit, from: $0, to: uptime) } ?? true
        }
    }
}

/// What an operator has accepted to be lost.
public struct Acceptance: Sendable, Equatable {
    /// The agent's deployment.
    public let deployment: String
    /// That of what was served; nil when nobody had said.
    public let former: String?
    /// Issuers whose documents may go, each with the generation that was served.
    public let forgotten: [String: Int]

    /// An acceptance, of `forgotten` as it was shown to the operator.
    public init(deployment: String, former: String?, forgotten: [String: Int]) {
        self.deployment = deployment
        self.former = former
        self.forgotten = forgotten
    }

    /// Whether it is about this agent in place of that.
    func accepts(_ deployment: String, insteadOf former: String?) -> Bool {
        self.deployment == deployment && self.former == former
    }

    /// Whether the documents of this issuer may go.
    func covers(_ issuer: String, generation: Int) -> Bool { forgotten[issuer] == generation }
}
