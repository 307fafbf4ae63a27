import CCryptoki

/// The kind of a cryptographic operation (`CK_MECHANISM_TYPE`, `CKM_*`). The set is open.
public struct MechanismType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt

    public init(rawValue: UInt) {
        self.rawValue = rawValue
    }

    /// `CKM_RSA_PKCS_KEY_PAIR_GEN`.
    public static let rsaPKCSKeyPairGeneration = MechanismType(rawValue: CKM_RSA_PKCS_KEY_PAIR_GEN)
    /// `CKM_EC_KEY_PAIR_GEN`.
    public static let ecKeyPairGeneration = MechanismType(rawValue: CKM_EC_KEY_PAIR_GEN)
    /// `CKM_RSA_PKCS`: PKCS #1 v1.5, where the caller makes the DigestInfo.
    public static let rsaPKCS = MechanismType(rawValue: CKM_RSA_PKCS)
    /// `CKM_RSA_PKCS_PSS`: the caller hashes.
    public static let rsaPKCSPSS = MechanismType(rawValue: CKM_RSA_PKCS_PSS)
    /// `CKM_ECDSA`: the caller hashes.
    public static let ecdsa = MechanismType(rawValue: CKM_ECDSA)
    /// `CKM_EC_EDWARDS_KEY_PAIR_GEN` (PKCS#11 v3.0).
    public static let ecEdwardsKeyPairGeneration = MechanismType(rawValue: CKM_EC_EDWARDS_KEY_PAIR_GEN)
    /// `CKM_EDDSA` (PKCS#11 v3.0): the token hashes.
    public static let edDSA = MechanismType(rawValue: CKM_EDDSA)
    /// `CKM_GENERIC_SECRET_KEY_GEN`.
    public static let genericSecretKeyGeneration = MechanismType(rawValue: CKM_GENERIC_SECRET_KEY_GEN)
    /// `CKM_SHA256_HMAC`.
    public static let sha256HMAC = MechanismType(rawValue: CKM_SHA256_HMAC)
}

extension MechanismType: CustomStringConvertible {
    /// The name of a mechanism that is named here, the number in hexadecimal for any other.
    public var description: String {
        switch self {
        case .rsaPKCSKeyPairGeneration: "CKM_RSA_PKCS_KEY_PAIR_GEN"
        case .ecKeyPairGeneration: "CKM_EC_KEY_PAIR_GEN"
        case .rsaPKCS: "CKM_RSA_PKCS"
        case .rsaPKCSPSS: "CKM_RSA_PKCS_PSS"
        case .ecdsa: "CKM_ECDSA"
        case .ecEdwardsKeyPairGeneration: "CKM_EC_EDWARDS_KEY_PAIR_GEN"
        case .edDSA: "CKM_EDDSA"
        case .genericSecretKeyGeneration: "CKM_GENERIC_SECRET_KEY_GEN"
        case .sha256HMAC: "CKM_SHA256_HMAC"
        default: "0x" + String(rawValue, radix: 16)
        }
    }
}

/// A mechanism with its parameter (`CK_MECHANISM`, PKCS#11 v2.40 base §3.6).
public struct Mechanism: Hashable, Sendable {
    public let type: MechanismType

    /// The bytes of the mechanism's parameter structure, which must hold no pointer; empty for a mechanism without one.
    public let parameter: [UInt8]

    public init(_ type: MechanismType, parameter: [UInt8] = []) {
        self.type = type
        self.parameter = parameter
    }

    /// `CKM_RSA_PKCS`. The data to sign is a DER DigestInfo (RFC 8017 §9.2).
    public static let rsaPKCS = Mechanism(.rsaPKCS)
    /// `CKM_ECDSA`. The data to sign is a digest, the signature R‖S.
    public static let ecdsa = Mechanism(.ecdsa)

    /// `CKM_RSA_PKCS_PSS` with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (`CK_RSA_PKCS_PSS_PARAMS`, PKCS#11 v2.40
    /// current mechanisms §2.1.9). The data to sign is a SHA-256 hash.
    public static let rsaPKCSPSSWithSHA256 = Mechanism(
        .rsaPKCSPSS,
        parameter: [CK_ULONG(CKM_SHA256), CK_ULONG(CKG_MGF1_SHA256), 32].flatMap { number in
            unsafe withUnsafeBytes(of: number) { unsafe Array($0) }
        })
    /// `CKM_EDDSA` without a parameter, which is Ed25519 itself for a key on edwards25519 (PKCS#11 v3.0 current mechanisms
    /// §2.3.14). The data to sign is the message.
    public static let edDSA = Mechanism(.edDSA)
    /// `CKM_SHA256_HMAC`. The result has 32 bytes (PKCS#11 v2.40 current mechanisms §2.21).
    public static let sha256HMAC = Mechanism(.sha256HMAC)

    /// Calls with the C structure, which is valid during the call only.
    @safe
    func withCryptoki(_ body: (UnsafeMutablePointer<CK_MECHANISM>) -> CK_RV) -> CK_RV {
        guard !parameter.isEmpty else {
            var mechanism = unsafe CK_MECHANISM(mechanism: type.rawValue, pParameter: nil, ulParameterLen: 0)
            return unsafe body(&mechanism)
        }
        return unsafe parameter.withUnsafeBytes { bytes in
            var mechanism = unsafe CK_MECHANISM(
                mechanism: type.rawValue,
                // Modules only read the parameter; that the pointer is mutable is C's lack of const.
                pParameter: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                ulParameterLen: CK_ULONG(bytes.count))
            return unsafe body(&mechanism)
        }
    }
}
