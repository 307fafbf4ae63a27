/// A signature algorithm of JWS; the raw value is its JWA name (RFC 7518 §3.1).
public enum JWSAlgorithm: String, CaseIterable, Codable, Sendable {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    case rs256 = "RS256"
    /// ECDSA on P-256 with SHA-256, the signature as R‖S (RFC 7518 §3.4).
    case es256 = "ES256"

    /// The type of key the algorithm signs with.
    public var keyType: KeyType {
        switch self {
        case .rs256: .rsa
        case .es256: .p256
        }
    }
}

/// A type of key, and for elliptic curves the curve.
public enum KeyType: String, CaseIterable, Sendable {
    /// RSA of at least 2048 bits.
    case rsa = "RSA"
    /// The NIST curve P-256, `prime256v1` to X.509.
    case p256 = "P-256"
}
