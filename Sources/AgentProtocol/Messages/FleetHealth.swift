/// The agents that share a store, as the one that is asked knows them.
public struct FleetHealth: Codable, Sendable, Equatable {
    /// The revision of the store that this agent goes by.
    public var revision: Int64
    /// Since when the store has not confirmed it; absent when it never has.
    public var confirmedSecondsAgo: Int?
    /// For how long it signs without another confirmation; 0 when it does not sign.
    public var signsForSeconds: Int64
    /// Whether destroying a key stops a process that has used it, as `token fence-test` found on this machine; absent where this token
    /// was not tried.
    public var destroyedKeysStop: Bool?
    /// By id; absent for a caller that may not see all issuers.
    public var agents: [AgentHealth]?

    public init(
        revision: Int64, confirmedSecondsAgo: Int?, signsForSeconds: Int64, destroyedKeysStop: Bool? = nil,
        agents: [AgentHealth]?
    ) {
        self.revision = revision
        self.confirmedSecondsAgo = confirmedSecondsAgo
        self.signsForSeconds = signsForSeconds
        self.destroyedKeysStop = destroyedKeysStop
        self.agents = agents
    }
}

/// One agent of a fleet.
public struct AgentHealth: Codable, Sendable, Equatable {
    /// Its id.
    public var agent: String
    /// Its machine.
    public var host: String
    public var release: String
    /// Whether it has said in the last 30 s that it is there.
    public var present: Bool
    /// Whether it is the one that was asked.
    public var own: Bool
    /// For how long it signs without a confirmation of the store.
    public var staleAfterSeconds: Int
    /// The revision of the store that it goes by; absent before it has said so.
    public var revision: Int64?
    /// Whether something of that does not count for it yet: a former key's last signature, a frontend, a key that it cannot use.
    public var behind: Bool?
    /// How many frontends follow it.
    public var frontends: Int?
    /// Those frontends, the longest there first; absent before it has said so, and where there are none.
    public var followedBy: [FrontendHealth]?

    public init(
        agent: String, host: String, release: String, present: Bool, own: Bool, staleAfterSeconds: Int, revision: Int64? = nil,
        behind: Bool? = nil, frontends: Int? = nil, followedBy: [FrontendHealth]? = nil
    ) {
        self.agent = agent
        self.host = host
        self.release = release
        self.present = present
        self.own = own
        self.staleAfterSeconds = staleAfterSeconds
        self.revision = revision
        self.behind = behind
        self.frontends = frontends
        self.followedBy = followedBy
    }
}

/// A frontend of an agent, or those that are too many to be named.
public struct FrontendHealth: Codable, Sendable, Equatable {
    /// Of its process, as its agent's machine has it; absent for several.
    public var pid: Int?
    /// The user that it runs as; absent for several.
    public var uid: Int?
    /// The name of that user, where there is one.
    public var user: String?
    /// How many they are, where they are several.
    public var count: Int?
    /// After how many seconds without a confirmation it turns unready.
    public var staleAfterSeconds: Int
    /// Issuers whose present generation it has not said to serve, and deleted ones of which it has not said that it serves nothing.
    public var unserved: [String]

    public init(
        pid: Int? = nil, uid: Int? = nil, user: String? = nil, count: Int? = nil, staleAfterSeconds: Int, unserved: [String]
    ) {
        self.pid = pid
        self.uid = uid
        self.user = user
        self.count = count
        self.staleAfterSeconds = staleAfterSeconds
        self.unserved = unserved
    }
}
