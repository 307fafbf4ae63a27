public import AgentProtocol

/// What the frontend knows of every issuer, and so what it serves at any moment.
///
/// A pure value: it reads no clock and does no I/O. The agents' word goes in issuer by issuer; ``document(at:time:noLongerThan:)`` tells
/// what a path is to be answered with. Time alone moves on what is served: documents change and URLs end at the moments the
/// agent has named, without a further word from it.
public struct Publication: Sendable {
    /// By issuer, the agents' last word: the highest generation that any has said.
    public private(set) var results: [String: DiscoveryResult] = [:]
    /// Counts the changes of `results`; answers that say the same again are none.
    public internal(set) var revision = 0
    /// The identity of the store that all of it is from; nil as long as no agent has said.
    public internal(set) var deployment: String?
    /// When all of `results` was last vouched for, by the wall clock of this machine; nil when it never was. With a shared store, when
    /// that store confirmed it.
    public internal(set) var confirmedAt: WireTime?
    /// Whether agents that share a store vouch for it.
    public internal(set) var isShared = false
    /// The agents that are followed, at least one.
    var agents: [FollowedAgent]
    /// With a shared store, `confirmedAt` by the clock that nobody sets, in nanoseconds; nil when no agent has said since the start.
    var asOf: Int64?
    /// Issuers that are not served since an agent has said that they were deleted.
    var ended: [String: Ending] = [:]
    /// By the path of a request. Every issuer URL has a random UUID in it, so no two issuers share one.
    var routes: [String: Route] = [:]

    /// The end of an issuer.
    struct Ending: Sendable {
        /// That at which it was deleted; one that is created again has a higher one.
        let generation: Int
        /// When the frontend heard of it, in nanoseconds of the clock that nobody sets.
        let heardAt: Int64
    }

    /// Nothing known, of one agent.
    public init() {
        self.init(agents: ["agent"])
    }

    /// Nothing known. `agents` has the name of each agent that is followed.
    public init(agents: [String]) {
        self.agents = agents.map(FollowedAgent.init)
    }

    /// What was known before a restart.
    public init(
        results: some Sequence<DiscoveryResult>, deployment: String? = nil, confirmedAt: WireTime?, isShared: Bool = false
    ) {
        self.init()
        for result in results { apply(result) }
        revision = 0
        self.deployment = deployment
        self.confirmedAt = confirmedAt
        self.isShared = isShared
    }

    /// Takes a word on one issuer. Everything that was said of it before is forgotten, URLs it no longer names included.
    public mutating func apply(_ result: DiscoveryResult) {
        let former = results.updateValue(result, forKey: result.issuer)
        if let former { removeRoutes(of: former) }
        for url in result.urls {
            for kind in DocumentKind.allCases {
                guard let path = kind.path(in: url) else { continue }
                routes[path] = Route(kind, of: url, in: result)
            }
        }
        var comparable = former
        comparable?.dataTimestamp = result.dataTimestamp
        if comparable != result { revision += 1 }
    }

    /// Forgets an issuer and ends its documents at once.
    public mutating func drop(_ issuer: String) {
        for agent in agents.indices { agents[agent].forget(issuer) }
        guard let former = results.removeValue(forKey: issuer) else { return }
        removeRoutes(of: former)
        revision += 1
    }

    private mutating func removeRoutes(of result: DiscoveryResult) {
        for url in result.urls {
            for kind in DocumentKind.allCases {
                guard let path = kind.path(in: url), routes[path]?.issuer == result.issuer else { continue }
                routes[path] = nil
            }
        }
    }
}
