/// The settings of an issuer that a request names, among its other parameters; the rest keep their default or their value.
public struct IssuerSettingsPatch: Codable, Sendable, Hashable {
    /// The JWA name of keys to come, `RS256` by default.
    public var algorithm: String?
    /// The length of RSA keys to come in bits, 2048 by default.
    public var rsaBits: Int?
    /// `iss` while the profile is disabled.
    public var defaultIssuer: String?
    /// Lifetime of a JWT when the request names none.
    public var lifetimeSeconds: Int?
    public var maximumLifetimeSeconds: Int?
    public var overlapSeconds: Int?
    public var jwksMaxAgeSeconds: Int?
    /// Seconds by which an `nbf` that is filled in lies before `iat`.
    public var notBeforeSkewSeconds: Int?
    /// Whether a key is published ahead of its first signature; true by default.
    public var standby: Bool?
    /// Seconds between scheduled rotations; 0 for none.
    public var rotateEverySeconds: Int?

    /// Whether the request names no setting at all.
    public var isEmpty: Bool { self == IssuerSettingsPatch() }

    public init(
        algorithm: String? = nil, rsaBits: Int? = nil, defaultIssuer: String? = nil, lifetimeSeconds: Int? = nil,
        maximumLifetimeSeconds: Int? = nil, overlapSeconds: Int? = nil, jwksMaxAgeSeconds: Int? = nil,
        notBeforeSkewSeconds: Int? = nil, standby: Bool? = nil, rotateEverySeconds: Int? = nil
    ) {
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
    }

    static let memberNames = CodingKeys.allCases.map(\.rawValue)

    enum CodingKeys: String, CodingKey, CaseIterable {
        case algorithm, rsaBits, defaultIssuer, lifetimeSeconds, maximumLifetimeSeconds, overlapSeconds, jwksMaxAgeSeconds
        case notBeforeSkewSeconds, standby, rotateEverySeconds
    }
}
