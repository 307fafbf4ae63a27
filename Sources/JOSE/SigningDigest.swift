import Crypto

/// The hash of a JWS signing input, made once: it is what the token signs and what the signature is checked against.
public struct SigningDigest: Sendable, Equatable {
    let sha256: SHA256Digest

    /// The SHA-256 of a signing input.
    public init(of signingInput: [UInt8]) {
        sha256 = SHA256.hash(data: signingInput)
    }

    /// The hash itself, 32 bytes: the input of `CKM_ECDSA` and of `CKM_RSA_PKCS_PSS`.
    public var bytes: [UInt8] {
        Array(sha256)
    }

    /// The DER of DigestInfo, 51 bytes: the input of `CKM_RSA_PKCS` (RFC 8017 §9.2 step 2 and note 1).
    public var digestInfo: [UInt8] {
        Self.digestInfoPrefix + bytes
    }

    private static let digestInfoPrefix: [UInt8] = [
        0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ]
}
