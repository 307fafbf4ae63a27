/// An issuer as the protocol shows it.
public struct IssuerStatus: Codable, Sendable, Equatable {
    public var name: String
    public var generation: Int
    public var createdAt: WireTime
    /// `iss` of every new JWT: the profile's URL when enabled, `defaultIssuer` when not.
    public var issuer: String
    public var oidcIssuerProfile: OIDCIssuerProfileView
    public var defaultIssuer: String
    /// Where the keys are served; absent while the profile is disabled.
    public var jwksUri: String?
    /// Former URLs whose documents are still served.
    public var acceptedIssuers: [AcceptedIssuerView]
    /// The algorithm of keys to come; the active key's is in `activeAlgorithm`.
    public var algorithm: String
    /// The length of RSA keys to come, in bits; absent with another algorithm.
    public var rsaBits: Int?
    public var activeKid: String
    public var activeAlgorithm: String
    public var keyCounts: KeyCounts
    public var lifetimeSeconds: Int
    public var maximumLifetimeSeconds: Int
    public var overlapSeconds: Int
    public var jwksMaxAgeSeconds: Int
    /// Seconds by which an `nbf` that is filled in lies before `iat`; absent from an agent that dates none back.
    public var notBeforeSkewSeconds: Int?
    public var standby: Bool
    /// 0 when rotations are not scheduled.
    public var rotateEverySeconds: Int
    public var lastRotationAt: WireTime?
    /// When the next scheduled rotation is due; absent without a schedule.
    public var nextRotationAt: WireTime?
    /// A rotation that waits until no relying party can be surprised by it; absent when none does.
    public var awaitedRotation: AwaitedRotationView?
    /// When the retiring key retires; absent without one.
    public var overlapEndsAt: WireTime?
    /// `up` or `down`.
    public var hsm: String
    /// When the agent put this answer together.
    public var dataTimestamp: WireTime
    /// After how long it is worth asking again.
    public var refreshHintSeconds: Int
    /// Why the issuer signs nothing until an operator has decided about it; absent unless it is in quarantine.
    public var quarantine: String?

    public init(
        name: String, generation: Int, createdAt: WireTime, issuer: String, oidcIssuerProfile: OIDCIssuerProfileView,
        defaultIssuer: String, jwksUri: String?, acceptedIssuers: [AcceptedIssuerView], algorithm: String,
        rsaBits: Int?, activeKid: String, activeAlgorithm: String, keyCounts: KeyCounts, lifetimeSeconds: Int,
        maximumLifetimeSeconds: Int, overlapSeconds: Int, jwksMaxAgeSeconds: Int, notBeforeSkewSeconds: Int? = nil,
        standby: Bool, rotateEverySeconds: Int, lastRotationAt: WireTime?, nextRotationAt: WireTime?,
        awaitedRotation: AwaitedRotationView? = nil, overlapEndsAt: WireTime?, hsm: String,
        dataTimestamp: WireTime, refreshHintSeconds: Int, quarantine: String? = nil
    ) {
        self.name = name
        self.generation = generation
        self.createdAt = createdAt
        self.issuer = issuer
        self.oidcIssuerProfile = oidcIssuerProfile
        self.defaultIssuer = defaultIssuer
        self.jwksUri = jwksUri
        self.acceptedIssuers = acceptedIssuers
        self.algorithm = algorithm
        self.rsaBits = rsaBits
        self.activeKid = activeKid
        self.activeAlgorithm = activeAlgorithm
        self.keyCounts = keyCounts
        self.lifetimeSeconds = lifetimeSeconds
        self.maximumLifetimeSeconds = maximumLifetimeSeconds
        self.overlapSeconds = overlapSeconds
        self.jwksMaxAgeSeconds = jwksMaxAgeSeconds
        self.notBeforeSkewSeconds = notBeforeSkewSeconds
        self.standby = standby
        self.rotateEverySeconds = rotateEverySeconds
        self.lastRotationAt = lastRotationAt
        self.nextRotationAt = nextRotationAt
        self.awaitedRotation = awaitedRotation
        self.overlapEndsAt = overlapEndsAt
        self.hsm = hsm
        self.dataTimestamp = dataTimestamp
        self.refreshHintSeconds = refreshHintSeconds
        self.quarantine = quarantine
    }
}

/// The profile as `az aks show --query oidcIssuerProfile` names it.
public struct OIDCIssuerProfileView: Codable, Sendable, Equatable {
    public var enabled: Bool
    /// Absent while disabled.
    public var issuerUrl: String?

    public init(enabled: Bool, issuerUrl: String?) {
        self.enabled = enabled
        self.issuerUrl = issuerUrl
    }
}

/// A rotation that waits until no relying party can be surprised by it.
public struct AwaitedRotationView: Codable, Sendable, Equatable {
    public var requestedAt: WireTime
    /// The key that is to sign; absent while it is still to be generated.
    public var kid: String?
    /// When it signs; absent without one.
    public var signsFrom: WireTime?

    public init(requestedAt: WireTime, kid: String?, signsFrom: WireTime?) {
        self.requestedAt = requestedAt
        self.kid = kid
        self.signsFrom = signsFrom
    }
}

public struct AcceptedIssuerView: Codable, Sendable, Equatable {
    public var issuerUrl: String
    public var jwksUri: String
    /// When its documents end.
    public var expiresAt: WireTime

    public init(issuerUrl: String, jwksUri: String, expiresAt: WireTime) {
        self.issuerUrl = issuerUrl
        self.jwksUri = jwksUri
        self.expiresAt = expiresAt
    }
}

public struct KeyCounts: Codable, Sendable, Equatable {
    public var standby: Int
    public var active: Int
    public var retiring: Int
    public var retired: Int
    public var revoked: Int

    public init(standby: Int, active: Int, retiring: Int, retired: Int, revoked: Int) {
        self.standby = standby
        self.active = active
        self.retiring = retiring
        self.retired = retired
        self.revoked = revoked
    }
}
