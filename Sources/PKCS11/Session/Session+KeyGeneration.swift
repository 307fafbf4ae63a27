import CCryptoki

/// What kind of key pair to generate.
public enum KeyPairAlgorithm: Hashable, Sendable {
    /// RSA with the public exponent 65537.
    case rsa(modulusBits: Int)
    case ec(EllipticCurve)
    /// Ed25519, its curve spelt one way or the other.
    case ed25519(Edwards25519)
}

/// A key pair on a token.
public struct KeyPair: Hashable, Sendable {
    public let publicKey: ObjectHandle
    public let privateKey: ObjectHandle

    public init(publicKey: ObjectHandle, privateKey: ObjectHandle) {
        self.publicKey = publicKey
        self.privateKey = privateKey
    }
}

/// How a template says what a new key may not be used for.
public enum UsageFlags: Hashable, Sendable {
    /// Every usage is named, the forbidden ones as false: a token's default for one left out is often true.
    case all
    /// Only the allowed usage is named, for a token that refuses a template with a usage it does not know.
    case allowedOnly
}

extension Session {
    /// Generates a key pair on the token (`C_GenerateKeyPair`): sensitive, not extractable, for signatures only.
    ///
    /// - `id` becomes the `CKA_ID` and `label` the `CKA_LABEL` of both halves.
    /// - Needs a read/write session and the user logged in. Generate one key at a time: SoftHSM 2.6.1 fails otherwise.
    /// - A token may ignore what the template says, so read ``custody(of:)`` before the key is used.
    /// - Throws ``PKCS11Error``. A key may have been made all the same; look for `id` before trying again.
    public func generateKeyPair(
        _ algorithm: KeyPairAlgorithm, id: [UInt8], label: String, naming usages: UsageFlags = .all
    ) throws(PKCS11Error) -> KeyPair {
        let template = KeyPairTemplate(algorithm, id: id, label: label, usages: usages)
        var (publicKey, privateKey): (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) = (0, 0)
        try call("C_GenerateKeyPair") { functions, session in
            Mechanism(template.mechanism).withCryptoki { mechanism in
                withTemplate(template.publicKey) { publicTemplate, publicCount in
                    withTemplate(template.privateKey) { privateTemplate, privateCount in
                        unsafe functions.pointee.C_GenerateKeyPair!(
                            session, mechanism, publicTemplate, publicCount, privateTemplate, privateCount,
                            &publicKey, &privateKey)
                    }
                }
            }
        }
        return KeyPair(publicKey: ObjectHandle(rawValue: publicKey), privateKey: ObjectHandle(rawValue: privateKey))
    }
}
