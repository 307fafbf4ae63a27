/// `issuer-create`: a new issuer with its first key.
public struct IssuerCreateParameters: RequestParameters {
    public typealias Result = IssuerChangeResult
    public static let method = Method.issuerCreate
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    /// `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`
    public var issuer: String
    /// The JWA name, `RS256` unless given.
    public var algorithm: String?
    /// The length of RSA keys in bits, 2048 unless given.
    public var rsaBits: Int?
    /// Whether to enable the OIDC profile; false unless given.
    public var enableOIDCIssuer: Bool?
    /// `iss` while the profile is disabled.
    public var defaultIssuer: String?
    /// Lifetime of a JWT when the request names none.
    public var lifetimeSeconds: Int?
    public var maximumLifetimeSeconds: Int?
    public var overlapSeconds: Int?
    public var jwksMaxAgeSeconds: Int?
    /// Seconds by which an `nbf` that is filled in lies before `iat`.
    public var notBeforeSkewSeconds: Int?
    /// Whether a key is published ahead of its first signature; true unless given.
    public var standby: Bool?
    /// Seconds between scheduled rotations; 0 or absent for none.
    public var rotateEverySeconds: Int?

    public init(
        issuer: String, algorithm: String? = nil, rsaBits: Int? = nil, enableOIDCIssuer: Bool? = nil,
        defaultIssuer: String? = nil, lifetimeSeconds: Int? = nil, maximumLifetimeSeconds: Int? = nil,
        overlapSeconds: Int? = nil, jwksMaxAgeSeconds: Int? = nil, notBeforeSkewSeconds: Int? = nil, standby: Bool? = nil,
        rotateEverySeconds: Int? = nil
    ) {
        self.issuer = issuer
        self.algorithm = algorithm
        self.rsaBits = rsaBits
        self.enableOIDCIssuer = enableOIDCIssuer
        self.defaultIssuer = defaultIssuer
        self.lifetimeSeconds = lifetimeSeconds
        self.maximumLifetimeSeconds = maximumLifetimeSeconds
        self.overlapSeconds = overlapSeconds
        self.jwksMaxAgeSeconds = jwksMaxAgeSeconds
        self.notBeforeSkewSeconds = notBeforeSkewSeconds
        self.standby = standby
        self.rotateEverySeconds = rotateEverySeconds
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer, algorithm, rsaBits, enableOIDCIssuer, defaultIssuer, lifetimeSeconds, maximumLifetimeSeconds
        case overlapSeconds, jwksMaxAgeSeconds, notBeforeSkewSeconds, standby, rotateEverySeconds
    }
}

/// `issuer-update`: changes what is named and leaves the rest.
public struct IssuerUpdateParameters: RequestParameters {
    public typealias Result = IssuerChangeResult
    public static let method = Method.issuerUpdate
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var issuer: String
    /// True mints a fresh URL, false goes back to `defaultIssuer`; no effect when it is so already.
    public var enableOIDCIssuer: Bool?
    /// Mints a fresh URL for an issuer whose profile is enabled.
    public var newIssuerURL: Bool?
    /// With a changed profile or URL: the former URL is dropped at once instead of after the overlap.
    public var immediately: Bool?
    public var algorithm: String?
    /// The length of RSA keys to come, in bits.
    public var rsaBits: Int?
    public var defaultIssuer: String?
    public var lifetimeSeconds: Int?
    public var maximumLifetimeSeconds: Int?
    public var overlapSeconds: Int?
    public var jwksMaxAgeSeconds: Int?
    /// Seconds by which an `nbf` that is filled in lies before `iat`.
    public var notBeforeSkewSeconds: Int?
    public var standby: Bool?
    /// Seconds between scheduled rotations; 0 for none.
    public var rotateEverySeconds: Int?
    public var ifGeneration: Int?

    public init(
        issuer: String, enableOIDCIssuer: Bool? = nil, newIssuerURL: Bool? = nil, immediately: Bool? = nil,
        algorithm: String? = nil, rsaBits: Int? = nil, defaultIssuer: String? = nil, lifetimeSeconds: Int? = nil,
        maximumLifetimeSeconds: Int? = nil, overlapSeconds: Int? = nil, jwksMaxAgeSeconds: Int? = nil,
        notBeforeSkewSeconds: Int? = nil, standby: Bool? = nil, rotateEverySeconds: Int? = nil, ifGeneration: Int? = nil
    ) {
        self.issuer = issuer
        self.enableOIDCIssuer = enableOIDCIssuer
        self.newIssuerURL = newIssuerURL
        self.immediately = immediately
        self.algorithm = algorithm
        self.rsaBits = rsaBits
        self.defaultIssuer = defaultIssuer
        self.lifetimeSeconds = lifetimeSeconds
        self.maximumLifetimeSeconds = maximumLifetimeSeconds
        self.overlapSeconds = overlapSeconds
        self.jwksMaxAgeSeconds = jwksMaxAgeSeconds
        self.notBeforeSkewSeconds = notBeforeSkewSeconds
        self.standby = standby
        self.rotateEverySeconds = rotateEverySeconds
        self.ifGeneration = ifGeneration
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer, enableOIDCIssuer, newIssuerURL, immediately, algorithm, rsaBits, defaultIssuer, lifetimeSeconds
        case maximumLifetimeSeconds, overlapSeconds, jwksMaxAgeSeconds, notBeforeSkewSeconds, standby, rotateEverySeconds
        case ifGeneration
    }
}

/// What `issuer-create` and `issuer-update` return.
public struct IssuerChangeResult: ChangeResult, Equatable {
    public var issuer: IssuerStatus
    /// Consequences the caller should know of, such as a changed `iss`.
    public var warnings: [String]

    public init(issuer: IssuerStatus, warnings: [String]) {
        self.issuer = issuer
        self.warnings = warnings
    }
}

/// `issuer-delete`: revokes every key and ends every document at once.
public struct IssuerDeleteParameters: RequestParameters {
    public typealias Result = IssuerDeleteResult
    public static let method = Method.issuerDelete
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var issuer: String
    public var ifGeneration: Int?

    public init(issuer: String, ifGeneration: Int? = nil) {
        self.issuer = issuer
        self.ifGeneration = ifGeneration
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer, ifGeneration
    }
}

public struct IssuerDeleteResult: ChangeResult, Equatable {
    public var issuer: String
    /// The kids that were published until now.
    public var revoked: [String]
    /// For at most this long a relying party with a cached JWKS can still accept them.
    public var exposureSeconds: Int
    public var warnings: [String]

    public init(issuer: String, revoked: [String], exposureSeconds: Int, warnings: [String] = []) {
        self.issuer = issuer
        self.revoked = revoked
        self.exposureSeconds = exposureSeconds
        self.warnings = warnings
    }
}

/// `issuer-list`: the issuers the caller may see, by name.
public struct IssuerListParameters: PagedParameters {
    public typealias Result = IssuerList
    public static let method = Method.issuerList
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var limit: Int?
    public var cursor: String?

    public init(limit: Int? = nil, cursor: String? = nil) {
        self.limit = limit
        self.cursor = cursor
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case limit, cursor
    }
}

public struct IssuerList: Codable, Sendable, Equatable {
    public var issuers: [IssuerStatus]
    /// Present when there is more.
    public var nextCursor: String?

    public init(issuers: [IssuerStatus], nextCursor: String? = nil) {
        self.issuers = issuers
        self.nextCursor = nextCursor
    }
}

/// `issuer-status`: one issuer, its settings and where it stands.
public struct IssuerStatusParameters: RequestParameters {
    public typealias Result = IssuerStatus
    public static let method = Method.issuerStatus
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var issuer: String

    public init(issuer: String) {
        self.issuer = issuer
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer
    }
}
