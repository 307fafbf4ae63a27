public import StrictJSON

/// `list-keys`: the keys of one issuer or of all, ended ones included, with what the token says about each.
public struct ListKeysParameters: PagedParameters {
    public typealias Result = KeyList
    public static let method = Method.listKeys
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var issuer: String?
    public var limit: Int?
    public var cursor: String?

    public init(issuer: String? = nil, limit: Int? = nil, cursor: String? = nil) {
        self.issuer = issuer
        self.limit = limit
        self.cursor = cursor
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer, limit, cursor
    }
}

public struct KeyList: Codable, Sendable, Equatable {
    public var keys: [KeyView]
    /// Present when there is more.
    public var nextCursor: String?

    public init(keys: [KeyView], nextCursor: String? = nil) {
        self.keys = keys
        self.nextCursor = nextCursor
    }
}

/// One signing key as `list-keys` shows it. A time is absent until the key has gone through that transition.
public struct KeyView: Codable, Sendable, Equatable {
    public var kid: String
    public var issuer: String
    public var algorithm: String
    /// `standby`, `active`, `retiring`, `retired` or `revoked`.
    public var state: String
    public var createdAt: WireTime
    public var publishedAt: WireTime?
    public var activatedAt: WireTime?
    public var retiringAt: WireTime?
    public var retiredAt: WireTime?
    public var revokedAt: WireTime?
    /// When a retiring key retires.
    public var expiresAt: WireTime?
    /// The public key as the JWKS shows it (RFC 7517 §4).
    public var publicJWK: JSONValue
    /// The private key's attributes as read back from the token just now; absent when the key has been destroyed or the
    /// token cannot be asked.
    public var custody: CustodyView?

    public init(
        kid: String, issuer: String, algorithm: String, state: String, createdAt: WireTime, publishedAt: WireTime? = nil,
        activatedAt: WireTime? = nil, retiringAt: WireTime? = nil, retiredAt: WireTime? = nil, revokedAt: WireTime? = nil,
        expiresAt: WireTime? = nil, publicJWK: JSONValue, custody: CustodyView? = nil
    ) {
        self.kid = kid
        self.issuer = issuer
        self.algorithm = algorithm
        self.state = state
        self.createdAt = createdAt
        self.publishedAt = publishedAt
        self.activatedAt = activatedAt
        self.retiringAt = retiringAt
        self.retiredAt = retiredAt
        self.revokedAt = revokedAt
        self.expiresAt = expiresAt
        self.publicJWK = publicJWK
        self.custody = custody
    }
}

/// `CKA_*` attributes of a private key object. A member is absent when the token does not know the attribute.
public struct CustodyView: Codable, Sendable, Equatable {
    /// `CKA_ID`, lower-case hexadecimal.
    public var keyID: String
    public var sensitive: Bool?
    public var extractable: Bool?
    public var alwaysSensitive: Bool?
    public var neverExtractable: Bool?
    public var local: Bool?
    public var sign: Bool?
    public var decrypt: Bool?
    public var unwrap: Bool?
    public var derive: Bool?
    public var signRecover: Bool?

    public init(
        keyID: String, sensitive: Bool?, extractable: Bool?, alwaysSensitive: Bool?, neverExtractable: Bool?, local: Bool?,
        sign: Bool?, decrypt: Bool?, unwrap: Bool?, derive: Bool?, signRecover: Bool?
    ) {
        self.keyID = keyID
        self.sensitive = sensitive
        self.extractable = extractable
        self.alwaysSensitive = alwaysSensitive
        self.neverExtractable = neverExtractable
        self.local = local
        self.sign = sign
        self.decrypt = decrypt
        self.unwrap = unwrap
        self.derive = derive
        self.signRecover = signRecover
    }
}
