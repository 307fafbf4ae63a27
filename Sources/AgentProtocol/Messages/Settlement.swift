/// How a change came to count for the other agents of a fleet.
public struct SettlementView: Codable, Sendable, Equatable {
    /// Whether no agent signs by what was before any more.
    public var settled: Bool
    /// The other agents that took part when the change was made.
    public var agents: [AgentSettlementView]
    /// Whether the private keys that the change revokes have been destroyed on the token; absent where it revokes none.
    public var keysDestroyed: Bool?

    public init(settled: Bool, agents: [AgentSettlementView], keysDestroyed: Bool? = nil) {
        self.settled = settled
        self.agents = agents
        self.keysDestroyed = keysDestroyed
    }
}

/// How another agent came to go by a change.
public struct AgentSettlementView: Codable, Sendable, Equatable {
    /// Its id.
    public var agent: String
    /// Its machine.
    public var host: String
    /// `acknowledged`: it has said that it signs by the change; `left`: it takes part no more; `waited-out`: it has not answered for so
    /// long that it cannot sign by what was before; `pending`: it has not answered, and may for `pendingSeconds` more.
    public var outcome: String
    /// From the change to that; absent while it is pending.
    public var milliseconds: Int?
    /// For how long it may still sign by what was before; present while it is pending.
    public var pendingSeconds: Int?

    public init(agent: String, host: String, outcome: String, milliseconds: Int? = nil, pendingSeconds: Int? = nil) {
        self.agent = agent
        self.host = host
        self.outcome = outcome
        self.milliseconds = milliseconds
        self.pendingSeconds = pendingSeconds
    }
}
