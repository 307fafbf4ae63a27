import JOSE
import KeyLifecycle
import PKCS11

extension SignatureAlgorithm {
    /// The same algorithm in the words of `JOSE`.
    var jws: JWSAlgorithm {
        switch self {
        case .rs256: .rs256
        case .ps256: .ps256
        case .es256: .es256
        case .es384: .es384
        case .es512: .es512
        case .edDSA: .edDSA
        }
    }

    /// What its key objects are to the token.
    var keyType: KeyType {
        switch self {
        case .rs256, .ps256: .rsa
        case .es256, .es384, .es512: .ec
        case .edDSA: .ecEdwards
        }
    }

    /// What the token signs with. Where the algorithm hashes, the agent does it: tokens often lack the mechanisms that hash.
    var mechanism: Mechanism {
        switch self {
        case .rs256: .rsaPKCS
        case .ps256: .rsaPKCSPSSWithSHA256
        case .es256, .es384, .es512: .ecdsa
        case .edDSA: .edDSA
        }
    }

    /// The curve of its keys, if they are for ECDSA.
    var curve: EllipticCurve? {
        switch self {
        case .es256: .p256
        case .es384: .p384
        case .es512: .p521
        case .rs256, .ps256, .edDSA: nil
        }
    }

    /// Whether each signature is verified before it leaves the agent: a faulty RSA signature gives the key away.
    var verifiesEverySignature: Bool { isRSA }

    /// Whether a token's object is a key of the algorithm's type, on its curve. Asked before the object signs: SoftHSM would
    /// sign with another type of key all the same.
    ///
    /// A private key need not show its curve; one that shows none is taken, and its first signature is verified.
    func isKeyType(of object: ObjectHandle, _ session: borrowing Session) throws(PKCS11Error) -> Bool {
        guard try session.number(.keyType, of: object) == keyType.rawValue else { return false }
        guard self == .edDSA || curve != nil, let parameters = try session.bytes(.ecParameters, of: object),
            !parameters.isEmpty
        else { return true }
        return curve.map { $0.parameters == parameters } ?? (Edwards25519(parameters: parameters) != nil)
    }

    /// The token's signature as JWS wants it (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1).
    ///
    /// - Throws: `PKCS11Error`, with `CKR_DATA_LEN_RANGE` and without a call for a digest made for another algorithm.
    func sign(
        _ digest: SigningDigest, _ session: borrowing Session, _ key: ObjectHandle
    ) throws(PKCS11Error) -> [UInt8] {
        guard digest.suits(jws), let data = self == .rs256 ? digest.digestInfo : digest.bytes else {
            throw PKCS11Error(
                PKCS11Error.Code(.dataLenRange), "a digest made for another algorithm than \(rawValue) is not signed")
        }
        let signature = try session.sign(data, with: mechanism, key: key)
        guard self != .edDSA || signature.count == Self.ed25519SignatureLength else {
            throw PKCS11Error(
                .signatureMalformed, function: "C_Sign",
                "the token returned \(signature.count) bytes, which is no Ed25519 signature")
        }
        return try curve?.fixedWidthSignature(signature) ?? signature
    }

    private static let ed25519SignatureLength = 64
}

extension KeySpecification {
    /// What the token is to generate, in the order in which to try: Ed25519 is spelt one way on some tokens and the other
    /// way on others.
    var keyPairs: [KeyPairAlgorithm] {
        switch algorithm {
        case .rs256, .ps256: [.rsa(modulusBits: keyBits)]
        case .es256, .es384, .es512: [.ec(algorithm.curve ?? .p256)]
        case .edDSA: Edwards25519.allCases.map(KeyPairAlgorithm.ed25519)
        }
    }

    /// The mechanism that generates the key.
    var generationMechanism: MechanismType {
        switch algorithm {
        case .rs256, .ps256: .rsaPKCSKeyPairGeneration
        case .es256, .es384, .es512: .ecKeyPairGeneration
        case .edDSA: .ecEdwardsKeyPairGeneration
        }
    }

    /// The length of the key as mechanisms count it, in bits. Ed25519 is 255 to some tokens and 256 to others.
    var keyBits: Int {
        switch algorithm {
        case .rs256, .ps256: rsaBits ?? IssuerSettings.rsaLengths[0]
        case .es256: 256
        case .es384: 384
        case .es512: 521
        case .edDSA: 255
        }
    }
}
