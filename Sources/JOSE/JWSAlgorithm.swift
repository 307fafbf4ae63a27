/// A signature algorithm of JWS; the raw value is its JWA name (RFC 7518 §3.1, RFC 8037 §3.1).
public enum JWSAlgorithm: String, CaseIterable, Codable, Sendable {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    case rs256 = "RS256"
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 7518 §3.5).
    case ps256 = "PS256"
    /// ECDSA on P-256 with SHA-256, the signature as R‖S (RFC 7518 §3.4).
    case es256 = "ES256"
    /// ECDSA on P-384 with SHA-384, the signature as R‖S (RFC 7518 §3.4).
    case es384 = "ES384"
    /// ECDSA on P-521 with SHA-512, the signature as R‖S of 66 bytes each (RFC 7518 §3.4).
    case es512 = "ES512"
    /// Ed25519, over the signing input itself (RFC 8037 §3.1, RFC 8032 §5.1).
    case edDSA = "EdDSA"

    /// The type of key the algorithm signs with.
    public var keyType: PublicKeyType {
        switch self {
        case .rs256, .ps256: .rsa
        case .es256: .ec(.p256)
        case .es384: .ec(.p384)
        case .es512: .ec(.p521)
        case .edDSA: .ed25519
        }
    }
}
