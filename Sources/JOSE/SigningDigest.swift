import Crypto

/// What is signed of a JWS signing input: its hash, made once for the token that signs it and for the check of the
/// signature; for EdDSA, which hashes by itself, the input.
public struct SigningDigest: Sendable, Equatable {
    enum Content: Sendable, Equatable {
        case sha256(SHA256Digest)
        case sha384(SHA384Digest)
        case sha512(SHA512Digest)
        case message([UInt8])
    }

    let content: Content

    /// What `algorithm` signs of a signing input.
    public init(of signingInput: [UInt8], for algorithm: JWSAlgorithm) {
        content =
            switch algorithm {
            case .rs256, .ps256, .es256: .sha256(SHA256.hash(data: signingInput))
            case .es384: .sha384(SHA384.hash(data: signingInput))
            case .es512: .sha512(SHA512.hash(data: signingInput))
            case .edDSA: .message(signingInput)
            }
    }

    /// The input of `CKM_ECDSA` and `CKM_RSA_PKCS_PSS`, the hash itself; and of `CKM_EDDSA`, the whole signing input.
    public var bytes: [UInt8] {
        switch content {
        case .sha256(let digest): Array(digest)
        case .sha384(let digest): Array(digest)
        case .sha512(let digest): Array(digest)
        case .message(let message): message
        }
    }

    /// The DER of DigestInfo, 51 bytes: the input of `CKM_RSA_PKCS` (RFC 8017 §9.2 step 2 and note 1); nil unless the hash
    /// is SHA-256.
    public var digestInfo: [UInt8]? {
        guard case .sha256(let digest) = content else { return nil }
        return Self.digestInfoPrefix + Array(digest)
    }

    /// Whether it was made the way `algorithm` wants it. A token may sign what is not, so look before it is asked to.
    public func suits(_ algorithm: JWSAlgorithm) -> Bool {
        switch (content, algorithm) {
        case (.sha256, .rs256), (.sha256, .ps256), (.sha256, .es256), (.sha384, .es384), (.sha512, .es512),
            (.message, .edDSA):
            true
        case (.sha256, _), (.sha384, _), (.sha512, _), (.message, _):
            false
        }
    }

    private static let digestInfoPrefix: [UInt8] = [
        0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ]
}
