/// A public key as a JSON Web Key (RFC 7517 §4, RFC 7518 §6.2.1 and §6.3.1), as it is published and shown.
public struct JWK: Codable, Sendable, Equatable {
    /// What the key is for, always `sig` here (RFC 7517 §4.2).
    public let use: String
    /// The key type, `RSA` or `EC` (RFC 7517 §4.1).
    public let kty: String
    /// The key's id (RFC 7517 §4.5).
    public let kid: String
    /// The JWA name of the one algorithm it signs with (RFC 7517 §4.4).
    public let alg: String
    /// RSA: the modulus, base64url (RFC 7518 §6.3.1.1).
    public let n: String?
    /// RSA: the public exponent, base64url (RFC 7518 §6.3.1.2).
    public let e: String?
    /// EC: the curve, `P-256` (RFC 7518 §6.2.1.1).
    public let crv: String?
    /// EC: the x coordinate at the curve's full width, base64url (RFC 7518 §6.2.1.2).
    public let x: String?
    /// EC: the y coordinate at the curve's full width, base64url (RFC 7518 §6.2.1.3).
    public let y: String?

    /// The JWK of a key that signs with `algorithm`.
    ///
    /// - Throws: ``JOSEError/Code/algorithmMismatch`` when the algorithm belongs to another key type.
    public init(_ key: PublicKey, _ algorithm: JWSAlgorithm) throws(JOSEError) {
        guard algorithm.keyType == key.keyType else {
            throw JOSEError(
                .algorithmMismatch, "\(algorithm.rawValue) does not go with a key of type \(key.keyType.rawValue)")
        }
        use = "sig"
        kid = key.kid
        alg = algorithm.rawValue
        switch key.parameters {
        case .rsa(let modulus, let exponent):
            kty = "RSA"
            n = Base64URL.encodeToString(modulus)
            e = Base64URL.encodeToString(exponent)
            crv = nil
            x = nil
            y = nil
        case .p256(let xCoordinate, let yCoordinate):
            kty = "EC"
            n = nil
            e = nil
            crv = "P-256"
            x = Base64URL.encodeToString(xCoordinate)
            y = Base64URL.encodeToString(yCoordinate)
        }
    }

    /// The JSON that is published: compact, members in the order `use`, `kty`, `kid`, `alg`, then `n`, `e` or `crv`, `x`, `y`.
    public var encoded: [UInt8] {
        var text = JSONText()
        text.appendObject([
            ("use", .string(use)), ("kty", .string(kty)), ("kid", .string(kid)), ("alg", .string(alg)),
            ("n", n.map { .string($0) }), ("e", e.map { .string($0) }),
            ("crv", crv.map { .string($0) }), ("x", x.map { .string($0) }), ("y", y.map { .string($0) }),
        ])
        return text.bytes
    }
}
