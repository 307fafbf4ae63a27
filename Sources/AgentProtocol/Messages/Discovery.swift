/// `get-discovery`: the public documents of one issuer, byte for byte as they are to be served.
public struct GetDiscoveryParameters: RequestParameters {
    public typealias Result = DiscoveryResult
    public static let method = Method.getDiscovery
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var issuer: String

    public init(issuer: String) {
        self.issuer = issuer
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer
    }
}

/// What `get-discovery` returns. A frontend needs no further word from the agent to drop a key or a URL at its expiry:
/// `versions` already holds the documents as they will be then.
public struct DiscoveryResult: Codable, Sendable, Equatable {
    public var issuer: String
    /// Whose issuer it is: the identity of the agent's store. Absent from agents of protocol 1.0.
    public var deployment: String?
    public var generation: Int
    public var dataTimestamp: WireTime
    /// The key set now, also while the profile is disabled and nothing is served.
    public var jwks: Document
    /// The issuer's URL first when its profile is enabled, then its former URLs.
    public var urls: [PublishedURL]
    /// When the agent's view of a store that several agents share was last confirmed; absent where the store is the agent's own.
    public var confirmedAt: WireTime?
    /// Whole seconds, rounded up, from then to the reply, by a clock that nobody sets. There with `confirmedAt`.
    public var confirmedSecondsAgo: Int?

    public init(
        issuer: String, deployment: String? = nil, generation: Int, dataTimestamp: WireTime, jwks: Document,
        urls: [PublishedURL], confirmedAt: WireTime? = nil, confirmedSecondsAgo: Int? = nil
    ) {
        self.issuer = issuer
        self.deployment = deployment
        self.generation = generation
        self.dataTimestamp = dataTimestamp
        self.jwks = jwks
        self.urls = urls
        self.confirmedAt = confirmedAt
        self.confirmedSecondsAgo = confirmedSecondsAgo
    }
}

/// One URL and what is served under it.
public struct PublishedURL: Codable, Sendable, Equatable {
    /// With its trailing slash, exactly as `iss` has it.
    public var issuerUrl: String
    /// Served at `{issuerUrl}.well-known/openid-configuration`.
    public var discoveryUri: String
    public var jwksUri: String
    /// False for a former URL.
    public var current: Bool
    /// When a former URL's documents end; absent for the current one.
    public var expiresAt: WireTime?
    /// Upper bound of the `max-age` to send. Never to be sent beyond the next `from` or `expiresAt`.
    public var maxAgeSeconds: Int
    /// In order of `from`; at least one. The one in force is the last whose `from` is not in the future.
    public var versions: [DocumentVersion]

    public init(
        issuerUrl: String, discoveryUri: String, jwksUri: String, current: Bool, expiresAt: WireTime?, maxAgeSeconds: Int,
        versions: [DocumentVersion]
    ) {
        self.issuerUrl = issuerUrl
        self.discoveryUri = discoveryUri
        self.jwksUri = jwksUri
        self.current = current
        self.expiresAt = expiresAt
        self.maxAgeSeconds = maxAgeSeconds
        self.versions = versions
    }
}

/// The two documents from one moment on.
public struct DocumentVersion: Codable, Sendable, Equatable {
    public var from: WireTime
    public var discovery: Document
    public var jwks: Document

    public init(from: WireTime, discovery: Document, jwks: Document) {
        self.from = from
        self.discovery = discovery
        self.jwks = jwks
    }
}

/// The bytes of one document and its entity tag (RFC 9110 §8.8.3, quotes included).
public struct Document: Codable, Sendable, Equatable {
    public var body: String
    public var etag: String

    public init(body: String, etag: String) {
        self.body = body
        self.etag = etag
    }
}
