/// How a change came to count for the other agents of a fleet.
public struct SettlementView: Codable, Sendable, Equatable {
    /// Whether no agent signs by what was before any more.
    public var settled: Bool
    /// The other agents that took part when the change was made.
    public var agents: [AgentSettlementView]
    /// Whether the private keys that the change revokes have been destroyed on the token; absent where it revokes none.
    public var keysDestroyed: Bool?
    /// Whether that stops an agent that has used them, as `token fence-test` found on this machine; absent where it was not tried with
    /// this token, or no key is revoked.
    public var destroyedKeysStop: Bool?
    /// The frontends of the agent that replies, by which what was revoked is served no more; absent where there are none to be told of.
    public var frontends: [FrontendSettlementView]?

    public init(
        settled: Bool, agents: [AgentSettlementView], keysDestroyed: Bool? = nil, destroyedKeysStop: Bool? = nil,
        frontends: [FrontendSettlementView]? = nil
    ) {
        self.settled = settled
        self.agents = agents
        self.keysDestroyed = keysDestroyed
        self.destroyedKeysStop = destroyedKeysStop
        self.frontends = frontends
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
    /// The frontends that follow it; absent where there are none to be told of.
    public var frontends: [FrontendSettlementView]?

    public init(
        agent: String, host: String, outcome: String, milliseconds: Int? = nil, pendingSeconds: Int? = nil,
        frontends: [FrontendSettlementView]? = nil
    ) {
        self.agent = agent
        self.host = host
        self.outcome = outcome
        self.milliseconds = milliseconds
        self.pendingSeconds = pendingSeconds
        self.frontends = frontends
    }
}

/// How a frontend, or those of an agent that are too many to be named, came to serve what a change publishes.
public struct FrontendSettlementView: Codable, Sendable, Equatable {
    /// Of its process, as its agent's machine has it; absent for several.
    public var pid: Int?
    /// The user that it runs as; absent for several.
    public var uid: Int?
    /// The name of that user, where there is one.
    public var user: String?
    /// How many they are, where they are several.
    public var count: Int?
    /// `served`: it serves nothing from before; `pending`: it has not said so yet; `gone`: it follows the agent no more.
    public var outcome: String
    /// From the change to when it was known that it serves it; there with `served`.
    public var milliseconds: Int?
    /// For at most how long relying parties may still be given what was before, and keep it; absent with `served`.
    public var staleForSeconds: Int?

    public init(
        pid: Int? = nil, uid: Int? = nil, user: String? = nil, count: Int? = nil, outcome: String, milliseconds: Int? = nil,
        staleForSeconds: Int? = nil
    ) {
        self.pid = pid
        self.uid = uid
        self.user = user
        self.count = count
        self.outcome = outcome
        self.milliseconds = milliseconds
        self.staleForSeconds = staleForSeconds
    }
}
