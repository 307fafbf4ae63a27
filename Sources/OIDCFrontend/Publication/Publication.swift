public import AgentProtocol

/// What the frontend knows of every issuer, and so what it serves at any moment.
///
/// A pure value: it reads no clock and does no I/O. The agent's word goes in issuer by issuer; ``document(at:time:)`` tells
/// what a path is to be answered with. Time alone moves on what is served: documents change and URLs end at the moments the
/// agent has named, without a further word from it.
public struct Publication: Sendable {
    /// By issuer, the agent's last word.
    public private(set) var results: [String: DiscoveryResult] = [:]
    /// Counts the changes of `results`; answers that say the same again are none.
    public internal(set) var revision = 0
    /// The identity of the store that all of it is from; nil as long as no agent has said.
    public internal(set) var deployment: String?
    /// How what is served stands to what the agent knows.
    public internal(set) var standing = Standing.vouched
    /// When the agent last vouched for everything in `results`; nil when it never has.
    public private(set) var confirmedAt: WireTime?
    /// By the path of a request. Every issuer URL has a random UUID in it, so no two issuers share one.
    var routes: [String: Route] = [:]

    /// Nothing known.
    public init() {}

    /// What was known before a restart.
    public init(results: some Sequence<DiscoveryResult>, deployment: String? = nil, confirmedAt: WireTime?) {
        for result in results { apply(result) }
        revision = 0
        self.deployment = deployment
        self.confirmedAt = confirmedAt
    }

    /// Takes the agent's word on one issuer. Everything it said of it before is forgotten, URLs it no longer names included.
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
        guard let former = results.removeValue(forKey: issuer) else { return }
        removeRoutes(of: former)
        revision += 1
    }

    /// Notes that the agent vouches for everything known, as of `time`.
    public mutating func confirm(at time: WireTime) {
        confirmedAt = time
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
