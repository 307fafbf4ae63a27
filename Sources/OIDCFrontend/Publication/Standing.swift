import AgentProtocol

/// How what is served stands to what the agent knows of.
///
/// Documents are given up for an issuer that its own deployment has deleted, and for nothing else: an agent whose store was lost
/// or restored, or that may not tell, must not take relying parties' keys away.
public enum Standing: Sendable, Equatable {
    /// It knows of every issuer there is.
    case vouched
    /// It is of another deployment, and knows of none.
    case foreign(deployment: String)
    /// It knows nothing of these issuers, neither that they are there nor that they were deleted, or it knows them only as they
    /// were before. In order, at least one.
    case unnamed([String])

    /// Why clients should not be sent here; one line. Nil when they may.
    var reason: String? {
        switch self {
        case .vouched: nil
        case .foreign(let deployment):
            "the agent is of another deployment, \(deployment), and says nothing of what is served here; see privyseal-issuer accept"
        case .unnamed(let issuers):
            "the agent knows nothing of \(issuers.count) issuers that are served here, such as \(issuers[0]); see privyseal-issuer accept"
        }
    }
}

extension Publication {
    /// Takes note of whose agent is being followed.
    ///
    /// - Parameters:
    ///   - deployment: nil from an agent that does not say, which then counts as the one there was.
    ///   - namesIssuers: whether it has any.
    /// - Returns: whether its word counts for what is served.
    public mutating func meet(_ deployment: String?, namesIssuers: Bool) -> Bool {
        if let deployment {
            // Where nothing is served nothing can be lost; and documents that were kept without saying whose they are belong to
            // whoever has issuers.
            let isOwn =
                results.values.allSatisfy { $0.urls.isEmpty } || self.deployment.map { $0 == deployment } ?? namesIssuers
            guard isOwn else {
                standing = .foreign(deployment: deployment)
                return false
            }
            take(deployment)
        }
        if case .foreign = standing { standing = .vouched }
        return true
    }

    /// What is served belongs to this deployment from now on.
    public mutating func take(_ deployment: String) {
        if case .foreign = standing { standing = .vouched }
        guard self.deployment != deployment else { return }
        self.deployment = deployment
        revision += 1
    }

    /// The agent knows nothing of these issuers.
    public mutating func note(unnamed issuers: Set<String>) {
        standing = issuers.isEmpty ? .vouched : .unnamed(issuers.sorted())
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
