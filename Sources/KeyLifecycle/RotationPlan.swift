/// What a rotation or a revocation does to a key ring: decided here, shown by a dry run, executed as it stands.
public struct RotationPlan: Hashable, Sendable {
    /// The key that signs afterwards.
    public enum Incoming: Hashable, Sendable {
        /// The published standby key.
        case standby(kid: String, algorithm: SignatureAlgorithm)
        /// A key still to be generated. It is published before it signs.
        case fresh(KeySpecification)
    }

    /// The key that stays valid until `expiresAt`.
    public struct Retiring: Hashable, Sendable {
        public let kid: String
        public let expiresAt: Timestamp
    }

    /// The next key signs with another algorithm than the present one.
    public struct AlgorithmChange: Hashable, Sendable {
        public let from: SignatureAlgorithm
        public let to: SignatureAlgorithm
        /// Since when the documents name the new one; `nil` when they do only from this rotation on.
        public let publishedAt: Timestamp?
    }

    public let issuer: IssuerName
    /// The generation it was made for.
    public let generation: Int
    /// The moment it was made for.
    public let at: Timestamp
    /// `nil` when the active key stays.
    public let incoming: Incoming?
    /// `nil` when the algorithm stays.
    public let algorithmChange: AlgorithmChange?
    /// The retiring key afterwards; `nil` when there is none.
    public private(set) var retiring: Retiring?
    /// Kids that end at once, the valid ones first. A discarded standby key is among them.
    public private(set) var revoked: [String]
    /// When the incoming key signs, where that is not at once: what is revoked is revoked all the same, and the active key
    /// signs until then.
    public let signsFrom: Timestamp?
    /// Whether a rotation that waits does so no more.
    public let cancelsWaiting: Bool
    /// Whether one of the revoked keys was valid, or a caller asked for the standby key to go.
    public let isRevoking: Bool
    /// Whether a standby key is to be generated and published afterwards.
    public let standbyFollows: Bool
    /// For how many seconds from `at` a relying party with a cached JWKS can accept a revoked key or reject the new one.
    public let exposure: Int
    /// The same for relying parties of each kind to which new JWTs come.
    public let exposures: [Exposure]

    /// The key to be generated, if there is one.
    public var freshKey: KeySpecification? {
        if case .fresh(let specification) = incoming { specification } else { nil }
    }

    /// The plan, with standby keys that have ended on the way to it.
    public func alsoEnding(_ kids: [String]) -> RotationPlan {
        var plan = self
        plan.revoked += kids.filter { !revoked.contains($0) }
        return plan
    }

    /// The plan, where somebody else has done to the issuer what it was made for: what that one has not revoked is not among what
    /// ends, and the retiring key is the one that there is.
    public func asCarriedOut(by other: Issuer) -> RotationPlan {
        var plan = self
        plan.revoked = revoked.filter { other.ring[$0]?.state == .revoked }
        plan.retiring = other.ring.retiring.flatMap { key in key.expiresAt.map { Retiring(kid: key.kid, expiresAt: $0) } }
        return plan
    }
}
