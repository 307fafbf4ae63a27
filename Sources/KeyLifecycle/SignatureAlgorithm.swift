/// What a key signs with, by its JWA name (RFC 7518 §3.1, RFC 8037 §3.1).
public enum SignatureAlgorithm: String, CaseIterable, Sendable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// RSASSA-PSS with SHA-256.
    case ps256 = "PS256"
    /// ECDSA with P-256 and SHA-256.
    case es256 = "ES256"
    /// ECDSA with P-384 and SHA-384.
    case es384 = "ES384"
    /// ECDSA with P-521 and SHA-512.
    case es512 = "ES512"
    /// Ed25519.
    case edDSA = "EdDSA"

    /// Whether its keys are RSA keys, whose length is a setting.
    public var isRSA: Bool {
        switch self {
        case .rs256, .ps256: true
        case .es256, .es384, .es512, .edDSA: false
        }
    }
}
