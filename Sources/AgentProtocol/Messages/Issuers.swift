/// `issuer-create`: a new issuer with its first key.
public struct IssuerCreateParameters: RequestParameters {
    public typealias Result = IssuerChangeResult
    public static let method = Method.issuerCreate
    public static let memberNames = CodingKeys.allCases.map(\.rawValue) + IssuerSettingsPatch.memberNames

    /// `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`
    public var issuer: String
    /// Whether to enable the OIDC profile; false unless given.
    public var enableOIDCIssuer: Bool?
    /// The settings that are to be others than the defaults.
    public var settings: IssuerSettingsPatch

    public init(issuer: String, enableOIDCIssuer: Bool? = nil, settings: IssuerSettingsPatch = IssuerSettingsPatch()) {
        self.issuer = issuer
        self.enableOIDCIssuer = enableOIDCIssuer
        self.settings = settings
    }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        issuer = try members.decode(String.self, forKey: .issuer)
        enableOIDCIssuer = try members.decodeIfPresent(Bool.self, forKey: .enableOIDCIssuer)
        settings = try IssuerSettingsPatch(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(issuer, forKey: .issuer)
        try members.encodeIfPresent(enableOIDCIssuer, forKey: .enableOIDCIssuer)
        try settings.encode(to: encoder)
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer, enableOIDCIssuer
    }
}

/// `issuer-update`: changes what is named and leaves the rest.
public struct IssuerUpdateParameters: RequestParameters {
    public typealias Result = IssuerChangeResult
    public static let method = Method.issuerUpdate
    public static let memberNames = CodingKeys.allCases.map(\.rawValue) + IssuerSettingsPatch.memberNames

    public var issuer: String
    /// True mints a fresh URL, false goes back to `defaultIssuer`; no effect when it is so already.
    public var enableOIDCIssuer: Bool?
    /// Mints a fresh URL for an issuer whose profile is enabled.
    public var newIssuerURL: Bool?
    /// With a changed profile or URL: the former URL is dropped at once instead of after the overlap.
    public var immediately: Bool?
    public var ifGeneration: Int?
    public var settings: IssuerSettingsPatch

    public init(
        issuer: String, enableOIDCIssuer: Bool? = nil, newIssuerURL: Bool? = nil, immediately: Bool? = nil,
        ifGeneration: Int? = nil, settings: IssuerSettingsPatch = IssuerSettingsPatch()
    ) {
        self.issuer = issuer
        self.enableOIDCIssuer = enableOIDCIssuer
        self.newIssuerURL = newIssuerURL
        self.immediately = immediately
        self.ifGeneration = ifGeneration
        self.settings = settings
    }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        issuer = try members.decode(String.self, forKey: .issuer)
        enableOIDCIssuer = try members.decodeIfPresent(Bool.self, forKey: .enableOIDCIssuer)
        newIssuerURL = try members.decodeIfPresent(Bool.self, forKey: .newIssuerURL)
        immediately = try members.decodeIfPresent(Bool.self, forKey: .immediately)
        ifGeneration = try members.decodeIfPresent(Int.self, forKey: .ifGeneration)
        settings = try IssuerSettingsPatch(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(issuer, forKey: .issuer)
        try members.encodeIfPresent(enableOIDCIssuer, forKey: .enableOIDCIssuer)
        try members.encodeIfPresent(newIssuerURL, forKey: .newIssuerURL)
        try members.encodeIfPresent(immediately, forKey: .immediately)
        try settings.encode(to: encoder)
        try members.encodeIfPresent(ifGeneration, forKey: .ifGeneration)
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer, enableOIDCIssuer, newIssuerURL, immediately, ifGeneration
    }
}

/// What `issuer-create` and `issuer-update` return.
public struct IssuerChangeResult: ChangeResult, Equatable {
    public var issuer: IssuerStatus
    /// How it came to count for the other agents of a fleet; absent where the store is one agent's alone.
    public var settlement: SettlementView?
    /// Consequences the caller should know of, such as a changed `iss`.
    public var warnings: [String]

    public init(issuer: IssuerStatus, settlement: SettlementView? = nil, warnings: [String]) {
        self.issuer = issuer
        self.settlement = settlement
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
    /// How it came to count for the other agents of a fleet; absent where the store is one agent's alone.
    public var settlement: SettlementView?
    public var warnings: [String]

    public init(
        issuer: String, revoked: [String], exposureSeconds: Int, settlement: SettlementView? = nil, warnings: [String] = []
    ) {
        self.issuer = issuer
        self.revoked = revoked
        self.exposureSeconds = exposureSeconds
        self.settlement = settlement
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
