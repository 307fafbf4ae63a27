/// `rotate`: the standby key takes over, the active key retires, a retiring key is revoked.
public struct RotateParameters: RequestParameters {
    public typealias Result = RotationResult
    public static let method = Method.rotate
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var issuer: String
    /// Only return the plan.
    public var dryRun: Bool?
    /// The generation the caller has seen; another one is a `CONFLICT`.
    public var ifGeneration: Int?
    /// The incoming key signs once no relying party can be surprised by it.
    public var whenSafe: Bool?
    /// Refuse, with `WOULD_REVOKE`, to revoke a key that is retiring.
    public var noRevoke: Bool?
    /// In place of all that: a rotation that waits does so no more.
    public var cancel: Bool?

    public init(
        issuer: String, dryRun: Bool? = nil, ifGeneration: Int? = nil, whenSafe: Bool? = nil, noRevoke: Bool? = nil,
        cancel: Bool? = nil
    ) {
        self.issuer = issuer
        self.dryRun = dryRun
        self.ifGeneration = ifGeneration
        self.whenSafe = whenSafe
        self.noRevoke = noRevoke
        self.cancel = cancel
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer, dryRun, ifGeneration, whenSafe, noRevoke, cancel
    }
}

/// `revoke-key`: removes one key at once, whatever its state.
public struct RevokeKeyParameters: RequestParameters {
    public typealias Result = RotationResult
    public static let method = Method.revokeKey
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var kid: String
    /// Only return the plan.
    public var dryRun: Bool?
    /// The generation of the key's issuer that the caller has seen; another one is a `CONFLICT`.
    public var ifGeneration: Int?

    public init(kid: String, dryRun: Bool? = nil, ifGeneration: Int? = nil) {
        self.kid = kid
        self.dryRun = dryRun
        self.ifGeneration = ifGeneration
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case kid, dryRun, ifGeneration
    }
}

/// What `rotate` and `revoke-key` return.
public struct RotationResult: ChangeResult, Equatable {
    public var issuer: String
    /// Whether nothing was changed.
    public var dryRun: Bool
    public var plan: RotationPlanView
    /// The kid that signs now.
    public var activeKid: String
    /// The issuer's generation now; to be passed as `ifGeneration` by a caller that goes ahead with a plan it was shown.
    public var generation: Int
    /// How a freshly generated key came to sign; absent when no fresh key was needed, and in a dry run.
    public var publication: PublicationView?
    /// For at most this long a relying party with a cached JWKS can still accept a revoked key or reject a new JWT; 0 when
    /// neither can happen.
    public var exposureSeconds: Int
    /// The same by kind of relying party; absent from an agent that does not tell them apart.
    public var relyingParties: [RelyingPartyView]?
    /// How it came to count for the other agents of a fleet; absent where the store is one agent's alone, and in a dry run.
    public var settlement: SettlementView?
    public var warnings: [String]

    public init(
        issuer: String, dryRun: Bool, plan: RotationPlanView, activeKid: String, generation: Int,
        publication: PublicationView? = nil, exposureSeconds: Int, relyingParties: [RelyingPartyView]? = nil,
        settlement: SettlementView? = nil, warnings: [String]
    ) {
        self.issuer = issuer
        self.dryRun = dryRun
        self.plan = plan
        self.activeKid = activeKid
        self.generation = generation
        self.publication = publication
        self.exposureSeconds = exposureSeconds
        self.relyingParties = relyingParties
        self.settlement = settlement
        self.warnings = warnings
    }
}

/// What a rotation or revocation does, or would do.
public struct RotationPlanView: Codable, Sendable, Equatable {
    /// The generation it was made for.
    public var generation: Int
    /// The key that signs afterwards; absent when the active key stays.
    public var incoming: IncomingKeyView?
    /// When it signs, where the rotation waits; absent when it signs at once.
    public var signsFrom: WireTime?
    /// The key that stays valid until `expiresAt`.
    public var retiring: RetiringKeyView?
    /// Kids that were valid, or published ahead, and are no longer.
    public var revoked: [String]
    /// Whether a new standby key is generated and published after the reply.
    public var standbyFollows: Bool

    public init(
        generation: Int, incoming: IncomingKeyView?, signsFrom: WireTime? = nil, retiring: RetiringKeyView?,
        revoked: [String], standbyFollows: Bool
    ) {
        self.generation = generation
        self.incoming = incoming
        self.signsFrom = signsFrom
        self.retiring = retiring
        self.revoked = revoked
        self.standbyFollows = standbyFollows
    }
}

public struct IncomingKeyView: Codable, Sendable, Equatable {
    /// `standby`: published ahead; `generated`: made for this change.
    public var source: String
    /// Absent for a key still to be generated.
    public var kid: String?
    public var algorithm: String

    public init(source: String, kid: String?, algorithm: String) {
        self.source = source
        self.kid = kid
        self.algorithm = algorithm
    }
}

public struct RetiringKeyView: Codable, Sendable, Equatable {
    public var kid: String
    public var expiresAt: WireTime

    public init(kid: String, expiresAt: WireTime) {
        self.kid = kid
        self.expiresAt = expiresAt
    }
}

/// For how long a rotation can surprise relying parties of one kind to which new JWTs come.
public struct RelyingPartyView: Codable, Sendable, Equatable {
    /// `fetches-at-unknown-kid`, `fetches-near-expiry` (of the max-age) or `limits-fetching`.
    public var kind: String
    /// For at most this long they refuse new JWTs.
    public var refusesNewSeconds: Int
    /// For at most this long they accept JWTs by a revoked key.
    public var acceptsRevokedSeconds: Int

    public init(kind: String, refusesNewSeconds: Int, acceptsRevokedSeconds: Int) {
        self.kind = kind
        self.refusesNewSeconds = refusesNewSeconds
        self.acceptsRevokedSeconds = acceptsRevokedSeconds
    }
}

/// How a fresh key was made known before it signed.
public struct PublicationView: Codable, Sendable, Equatable {
    /// `published`: every watching frontend served it; `timed-out`: not all of them had said so in time; `unserved`: no frontend
    /// serves the issuer's documents.
    public var outcome: String
    /// Frontends that served it, of `watching`.
    public var published: Int
    /// As `published`, for clients of protocol 1.0.
    public var fetched: Int
    /// Frontends that serve the issuer's documents, or are about to.
    public var watching: Int

    public init(outcome: String, published: Int, watching: Int) {
        self.outcome = outcome
        self.published = published
        fetched = published
        self.watching = watching
    }

    /// Nobody serves the issuer's documents.
    public static let unserved = PublicationView(outcome: "unserved", published: 0, watching: 0)

    /// Also from an agent of protocol 1.0.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        outcome = try container.decode(String.self, forKey: .outcome)
        fetched = try container.decode(Int.self, forKey: .fetched)
        published = try container.decodeIfPresent(Int.self, forKey: .published) ?? fetched
        watching = try container.decode(Int.self, forKey: .watching)
    }
}
