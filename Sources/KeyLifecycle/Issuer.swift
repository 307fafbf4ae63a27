/// Whether an issuer's documents are served, and where.
public enum OIDCProfile: Hashable, Sendable {
    case disabled
    /// Enabled under this URL, which ends in a slash.
    case enabled(url: String)
}

/// A former URL of an issuer; its documents are served until `expiresAt`.
public struct AcceptedIssuer: Hashable, Sendable {
    public let url: String
    public let expiresAt: Timestamp

    public init(url: String, expiresAt: Timestamp) {
        self.url = url
        self.expiresAt = expiresAt
    }
}

/// A named OIDC issuer with its key ring and policy, as of one generation.
///
/// A value: every change is a function to a new value with the next generation, which counts once it is committed.
public struct Issuer: Hashable, Sendable {
    public let name: IssuerName
    /// Counts the changes, from 1.
    public internal(set) var generation: Int
    public let createdAt: Timestamp
    /// When the last change was made; no later change is dated before it.
    public internal(set) var changedAt: Timestamp
    public internal(set) var settings: IssuerSettings
    public internal(set) var profile: OIDCProfile
    /// In the order they were left.
    public internal(set) var acceptedIssuers: [AcceptedIssuer]
    public internal(set) var ring: KeyRing
    public internal(set) var lastRotationAt: Timestamp?
    /// Until when a relying party may hold documents it was given with a `max-age` that has been lowered since.
    public internal(set) var maxAgeHorizon: Timestamp?
    /// Since when a rotation waits until no relying party can be surprised by it; `nil` when none waits.
    public internal(set) var rotationRequestedAt: Timestamp?
    /// Revocations that were begun and are not carried out yet; `nil` when there is none.
    public internal(set) var revoking: BegunRevocation?

    /// For stores, which keep an issuer as they were given it.
    public init(
        name: IssuerName, generation: Int, createdAt: Timestamp, changedAt: Timestamp, settings: IssuerSettings,
        profile: OIDCProfile, acceptedIssuers: [AcceptedIssuer], ring: KeyRing, lastRotationAt: Timestamp?,
        maxAgeHorizon: Timestamp?, rotationRequestedAt: Timestamp? = nil, revoking: BegunRevocation? = nil
    ) {
        self.name = name
        self.generation = generation
        self.createdAt = createdAt
        self.changedAt = changedAt
        self.settings = settings
        self.profile = profile
        self.acceptedIssuers = acceptedIssuers
        self.ring = ring
        self.lastRotationAt = lastRotationAt
        self.maxAgeHorizon = maxAgeHorizon
        self.rotationRequestedAt = rotationRequestedAt
        self.revoking = revoking?.left(in: ring)
    }

    /// `iss` of every new JWT.
    public var issuerURL: String {
        switch profile {
        case .enabled(let url): url
        case .disabled: settings.defaultIssuer
        }
    }

    /// Whether a key is to be published ahead: by the settings, or because a rotation waits for it.
    var wantsStandby: Bool {
        settings.standby || rotationRequestedAt != nil
    }

    /// Whether a standby key is wanted and missing.
    public var needsStandby: Bool {
        wantsStandby && ring.standby == nil
    }

    /// Until when a relying party that fetched the documents before `moment` may go on using them.
    public func cachedUntil(_ moment: Timestamp) -> Timestamp {
        max(moment + settings.jwksMaxAge, maxAgeHorizon ?? moment)
    }

    /// The same issuer, its active key known to have signed a JWT that expires at `expiry`: what a change is planned from
    /// when the wall clock may have been set back since that signature. It is no change itself.
    public func havingSigned(until expiry: Timestamp) -> Issuer {
        guard let active = ring.active else { return self }
        var known = self
        known.ring.update(active.kid) { $0.latestExpiry = max(expiry, $0.latestExpiry ?? expiry) }
        return known
    }

    /// The latest `exp` the active key was allowed to sign, were `moment` its last signature.
    func latestExpiry(signingUntil moment: Timestamp) -> Timestamp {
        max(moment + settings.maximumLifetime, ring.active?.latestExpiry ?? moment)
    }

    /// When an active key rotated out at `moment` may end: the overlap, or longer if a JWT needs it longer.
    func overlapEnd(from moment: Timestamp) -> Timestamp {
        max(moment + settings.overlap, latestExpiry(signingUntil: moment))
    }

    /// The next value, one generation on. `moment` counts only when it is not before the last change.
    func changed(at moment: Timestamp, _ change: (inout Issuer, Timestamp) -> Void) -> IssuerChange {
        let effective = max(moment, changedAt)
        var next = self
        change(&next, effective)
        next.generation = generation + 1
        next.changedAt = effective
        return IssuerChange(from: self, to: next, at: effective)
    }

    /// - Throws: `LifecycleError` with `.conflict` unless `expected` is absent or the current generation.
    public func require(generation expected: Int?) throws(LifecycleError) {
        if let expected, expected != generation { throw .conflict(expected: expected, actual: generation) }
    }
}
