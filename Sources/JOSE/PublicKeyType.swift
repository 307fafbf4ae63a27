/// A type of key, and for elliptic curves the curve.
public enum PublicKeyType: Hashable, Sendable, CustomStringConvertible {
    /// RSA of at least 2048 bits.
    case rsa
    /// A curve for ECDSA.
    case ec(Curve)
    /// Ed25519 (RFC 8037 §2).
    case ed25519

    /// The name by which messages call it.
    public var description: String {
        switch self {
        case .rsa: "RSA"
        case .ec(let curve): curve.rawValue
        case .ed25519: "Ed25519"
        }
    }
}

/// A NIST curve for ECDSA; the raw value is its name in a JWK (RFC 7518 §6.2.1.1).
public enum Curve: String, CaseIterable, Sendable {
    /// `prime256v1` to X.509.
    case p256 = "P-256"
    /// `secp384r1` to X.509.
    case p384 = "P-384"
    /// `secp521r1` to X.509.
    case p521 = "P-521"

    /// The length of a coordinate and of each half of a signature, in bytes.
    public var coordinateLength: Int {
        switch self {
        case .p256: 32
        case .p384: 48
        case .p521: 66
        }
    }

    /// The content of its DER OBJECT IDENTIFIER (RFC 5480 §2.1.1.1).
    var objectIdentifier: [UInt8] {
        switch self {
        // 1.2.840.10045.3.1.7, 1.3.132.0.34 and 1.3.132.0.35
        case .p256: [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
        case .p384: [0x2B, 0x81, 0x04, 0x00, 0x22]
        case .p521: [0x2B, 0x81, 0x04, 0x00, 0x23]
        }
    }
}
