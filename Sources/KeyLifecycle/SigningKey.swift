/// Where a key stands in its life.
public enum KeyState: String, CaseIterable, Sendable {
    /// Published ahead, signs nothing yet.
    case standby
    /// The one key that signs.
    case active
    /// Rotated out; published until what it signed has expired.
    case retiring
    /// Its overlap is over; its private key is destroyed.
    case retired
    /// Taken back before its time; its private key is destroyed.
    case revoked

    /// Whether the JWKS holds the key.
    public var isPublished: Bool {
        switch self {
        case .standby, .active, .retiring: true
        case .retired, .revoked: false
        }
    }
}

/// A key pair in the HSM token that has been generated and read back, ready to enter a key ring.
public struct GeneratedKey: Hashable, Sendable {
    public let keyID: KeyID
    /// base64url(SHA-256(SubjectPublicKeyInfo)), unpadded.
    public let kid: String
    /// What it turned out to be.
    public let specification: KeySpecification
    /// SubjectPublicKeyInfo, DER (RFC 5280 §4.1.2.7).
    public let publicKey: [UInt8]

    public init(keyID: KeyID, kid: String, specification: KeySpecification, publicKey: [UInt8]) {
        self.keyID = keyID
        self.kid = kid
        self.specification = specification
        self.publicKey = publicKey
    }

    public var algorithm: SignatureAlgorithm { specification.algorithm }

    /// - Throws: `LifecycleError` with `.conflict` for another key than the one wanted.
    func require(_ wanted: KeySpecification) throws(LifecycleError) {
        guard specification == wanted else {
            throw LifecycleError(
                .conflict, "the generated key is for \(specification), \(wanted) is wanted", hint: "plan again")
        }
    }
}

/// A key of a ring, with the time of each transition it has gone through.
public struct SigningKey: Hashable, Sendable {
    public let kid: String
    public let keyID: KeyID
    public let algorithm: SignatureAlgorithm
    /// SubjectPublicKeyInfo, DER.
    public let publicKey: [UInt8]
    public internal(set) var state: KeyState
    /// When it was published; a key enters its ring published.
    public let publishedAt: Timestamp
    /// From when on no relying party that honours `max-age` holds a JWKS without it.
    public let knownFrom: Timestamp
    public internal(set) var activatedAt: Timestamp?
    public internal(set) var retiringAt: Timestamp?
    /// When a retiring key retires.
    public internal(set) var expiresAt: Timestamp?
    public internal(set) var retiredAt: Timestamp?
    public internal(set) var revokedAt: Timestamp?
    /// The latest `exp` it was allowed to sign, where that cannot be told from the issuer's present bounds: they have been
    /// lowered since, the clock has been set back, or the key has been rotated out.
    public internal(set) var latestExpiry: Timestamp?
    /// When its private key was lost with its token, or with what the token held: nothing looks for it on a token any more.
    public internal(set) var lostAt: Timestamp?

    /// For stores, which keep a key as they were given it.
    public init(
        kid: String, keyID: KeyID, algorithm: SignatureAlgorithm, publicKey: [UInt8], state: KeyState,
        publishedAt: Timestamp, knownFrom: Timestamp, activatedAt: Timestamp? = nil, retiringAt: Timestamp? = nil,
        expiresAt: Timestamp? = nil, retiredAt: Timestamp? = nil, revokedAt: Timestamp? = nil,
        latestExpiry: Timestamp? = nil, lostAt: Timestamp? = nil
    ) {
        self.kid = kid
        self.keyID = keyID
        self.algorithm = algorithm
        self.publicKey = publicKey
        self.state = state
        self.publishedAt = publishedAt
        self.knownFrom = knownFrom
        self.activatedAt = activatedAt
        self.retiringAt = retiringAt
        self.expiresAt = expiresAt
        self.retiredAt = retiredAt
        self.revokedAt = revokedAt
        self.latestExpiry = latestExpiry
        self.lostAt = lostAt
    }

    /// A generated key as it enters a ring.
    init(_ key: GeneratedKey, state: KeyState, publishedAt: Timestamp, knownFrom: Timestamp) {
        self.init(
            kid: key.kid, keyID: key.keyID, algorithm: key.algorithm, publicKey: key.publicKey, state: state,
            publishedAt: publishedAt, knownFrom: knownFrom, activatedAt: state == .active ? publishedAt : nil)
    }
}
