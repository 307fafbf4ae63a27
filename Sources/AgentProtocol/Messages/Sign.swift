public import StrictJSON

/// `sign`: one JWT by the active key of an issuer.
///
/// The agent reads these params with its scanner, not with `Decodable`, so that the claims keep their bytes; this type is
/// what clients send.
public struct SignParameters: RequestParameters {
    public typealias Result = SignResult
    public static let method = Method.sign
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var issuer: String
    /// A claims object; `iss`, `iat`, `nbf`, `exp` and `jti` are filled in where absent. Excludes `payload`.
    public var claims: JSONValue?
    /// base64url of a claims object to be signed byte for byte; holds `iss`, `iat` and `exp`. Excludes `claims`.
    public var payload: String?
    /// Seconds from now to `exp` when the claims hold none; the issuer's default when absent. Not with `payload`.
    public var lifetimeSeconds: Int?

    public init(issuer: String, claims: JSONValue? = nil, payload: String? = nil, lifetimeSeconds: Int? = nil) {
        self.issuer = issuer
        self.claims = claims
        self.payload = payload
        self.lifetimeSeconds = lifetimeSeconds
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer, claims, payload, lifetimeSeconds
    }
}

/// What `sign` returns.
public struct SignResult: Codable, Sendable, Equatable {
    /// The compact JWS (RFC 7515 §7.1).
    public var jwt: String
    /// Its first part, base64url.
    public var header: String
    /// Its last part, base64url.
    public var signature: String
    public var kid: String
    /// The JWA name (RFC 7518 §3.1).
    public var alg: String
    /// The JWT's `exp`.
    public var expiresAt: WireTime

    public init(jwt: String, header: String, signature: String, kid: String, alg: String, expiresAt: WireTime) {
        self.jwt = jwt
        self.header = header
        self.signature = signature
        self.kid = kid
        self.alg = alg
        self.expiresAt = expiresAt
    }
}
