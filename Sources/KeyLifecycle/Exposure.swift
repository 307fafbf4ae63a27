/// How a relying party comes by a key that it has not seen: what decides for how long a rotation can surprise it.
public enum RelyingPartyKind: String, CaseIterable, Sendable {
    /// At once, at the first JWT with its kid: go-oidc v3 and most others.
    case fetchesAtUnknownKid = "fetches-at-unknown-kid"
    /// At an unknown kid, in the last `lastSeconds` of the max-age it was given and later only: go-oidc v2, and kube-apiserver
    /// with it.
    case fetchesNearExpiry = "fetches-near-expiry"
    /// At an unknown kid, but not within `pause` of its last fetch: PyJWT, jose.
    case limitsFetching = "limits-fetching"

    /// The seconds before the end of its max-age in which a relying party of that kind fetches (go-oidc v2, `keysExpiryDelta`).
    public static let lastSeconds = 30
    /// The seconds for which one that limits its fetches does without (jose, `cooldownDuration`).
    public static let pause = 30

    /// When a JWT by a key has it fetch the JWKS at the latest, if it has not seen the key.
    ///
    /// - Parameters:
    ///   - published: when the key was published.
    ///   - knownFrom: until when somebody may hold a JWKS without it by its max-age.
    func fetches(_ published: Timestamp, _ knownFrom: Timestamp) -> Timestamp {
        switch self {
        case .fetchesAtUnknownKid: published
        case .fetchesNearExpiry: knownFrom + -Self.lastSeconds
        case .limitsFetching: published + Self.pause
        }
    }
}

/// For how long a rotation can surprise relying parties of one kind to which new JWTs come, counted from the plan's moment.
public struct Exposure: Hashable, Sendable {
    public let kind: RelyingPartyKind
    /// Seconds for which they may refuse new JWTs.
    public let refusesNew: Int
    /// Seconds for which they may accept JWTs by a revoked key.
    public let acceptsRevoked: Int

    public init(kind: RelyingPartyKind, refusesNew: Int, acceptsRevoked: Int) {
        self.kind = kind
        self.refusesNew = refusesNew
        self.acceptsRevoked = acceptsRevoked
    }
}

extension SigningKey {
    /// From when on no relying party is surprised by a JWT by this key: each knows it, or fetches it at once.
    var surprisesNobodyFrom: Timestamp {
        max(knownFrom, publishedAt + RelyingPartyKind.pause)
    }
}

extension Issuer {
    /// From when on no relying party is surprised by a key that is published at `moment`.
    func surprisesNobodyFrom(publishingAt moment: Timestamp) -> Timestamp {
        max(cachedUntil(moment), moment + RelyingPartyKind.pause)
    }

    /// What a plan means to each kind of relying party.
    ///
    /// - Parameters:
    ///   - isUnseen: whether the incoming key is published for this plan, so that its kid makes relying parties fetch.
    ///   - signsFrom: when the incoming key signs, if not at once.
    func exposures(
        of incoming: RotationPlan.Incoming?, isUnseen: Bool, isRevoking: Bool, signsFrom: Timestamp?, at moment: Timestamp
    ) -> [Exposure] {
        var key: SigningKey?
        if case .standby(let kid, _) = incoming { key = ring[kid] }
        let published = key?.publishedAt ?? moment
        let knownFrom = key?.knownFrom ?? cachedUntil(moment)
        return RelyingPartyKind.allCases.map { kind in
            let waits = incoming == nil || signsFrom != nil
            let refuses = waits ? 0 : max(kind.fetches(published, knownFrom) - moment, 0)
            // A known kid has nobody fetch: then a revoked key lives as long as the cached JWKS.
            let fetches = signsFrom.map { $0 - moment } ?? (isUnseen ? refuses : cachedUntil(moment) - moment)
            return Exposure(kind: kind, refusesNew: refuses, acceptsRevoked: isRevoking ? fetches : 0)
        }
    }
}
