import StrictJSON

/// A public key as a JSON Web Key (RFC 7517 §4, RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2), as it is published and shown.
public struct JWK: Codable, Sendable, Equatable {
    /// What the key is for, always `sig` here (RFC 7517 §4.2).
    public let use: String
    /// The key type, `RSA`, `EC` or `OKP` (RFC 7517 §4.1).
    public let kty: String
    /// The key's id (RFC 7517 §4.5).
    public let kid: String
    /// The JWA name of the one algorithm it signs with (RFC 7517 §4.4).
    public let alg: String
    /// RSA: the modulus, base64url (RFC 7518 §6.3.1.1).
    public let n: String?
    /// RSA: the public exponent, base64url (RFC 7518 §6.3.1.2).
    public let e: String?
    /// EC and OKP: the curve, such as `P-256` or `Ed25519` (RFC 7518 §6.2.1.1, RFC 8037 §2).
    public let crv: String?
    /// EC: the x coordinate at the curve's full width (RFC 7518 §6.2.1.2); OKP: the public key (RFC 8037 §2). base64url.
    public let x: String?
    /// EC: the y coordinate at the curve's full width, base64url (RFC 7518 §6.2.1.3).
    public let y: String?

    /// The JWK of a key that signs with `algorithm`.
    ///
    /// - Throws: ``JOSEError/Code/algorithmMismatch`` when the algorithm belongs to another key type.
    public init(_ key: PublicKey, _ algorithm: JWSAlgorithm) throws(JOSEError) {
        try key.require(algorithm)
        switch key.parameters {
        case .rsa(let modulus, let exponent):
            self.init(key, algorithm, kty: "RSA", n: modulus, e: exponent)
        case .ec(let curve, let x, let y):
            self.init(key, algorithm, kty: "EC", crv: curve.rawValue, x: x, y: y)
        case .ed25519(let bytes):
            self.init(key, algorithm, kty: "OKP", crv: "Ed25519", x: bytes)
        }
    }

    private init(
        _ key: PublicKey, _ algorithm: JWSAlgorithm, kty: String, n: [UInt8]? = nil, e: [UInt8]? = nil,
        crv: String? = nil, x: [UInt8]? = nil, y: [UInt8]? = nil
    ) {
        use = "sig"
        kid = key.kid
        alg = algorithm.rawValue
        self.kty = kty
        self.n = n.map(Base64URL.encodeToString)
        self.e = e.map(Base64URL.encodeToString)
        self.crv = crv
        self.x = x.map(Base64URL.encodeToString)
        self.y = y.map(Base64URL.encodeToString)
    }

    /// The JSON that is published: compact, members in the order `use`, `kty`, `kid`, `alg`, then `n`, `e` or `crv`, `x`, `y`.
    public var encoded: [UInt8] { json.encoded() }

    /// What is published; members that the type of key does not have are absent.
    var json: JSONValue {
        let members = [
            ("use", use), ("kty", kty), ("kid", kid), ("alg", alg), ("n", n), ("e", e), ("crv", crv), ("x", x), ("y", y),
        ]
        return .object(members.compactMap { name, value in value.map { JSONValue.Member(name, .string($0)) } })
    }
}

/// A JSON Web Key Set (RFC 7517 §5): the document relying parties take an issuer's keys from.
public enum JWKSet {
    /// The document `{"keys":[…]}` with the keys in the order given; media type `application/jwk-set+json`.
    ///
    /// - Throws: ``JOSEError/Code/algorithmMismatch`` when an algorithm belongs to another key type than its key.
    public static func encode(_ keys: [(key: PublicKey, algorithm: JWSAlgorithm)]) throws(JOSEError) -> [UInt8] {
        var members: [JSONValue] = []
        for (key, algorithm) in keys {
            members.append(try JWK(key, algorithm).json)
        }
        return JSONValue.object([JSONValue.Member("keys", .array(members))]).encoded()
    }
}
