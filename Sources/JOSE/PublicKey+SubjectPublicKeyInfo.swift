extension PublicKey {
    /// A key from its SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), in exactly the encoding ``subjectPublicKeyInfo`` has.
    ///
    /// - Throws: ``JOSEError/Code/subjectPublicKeyInfoInvalid`` for bytes that are not canonical DER of one, also with
    ///   bytes after it or a compressed point; ``JOSEError/Code/keyTypeUnsupported`` for another key type or curve;
    ///   ``JOSEError/Code/keyInvalid`` as the initialisers for the numbers.
    public init(subjectPublicKeyInfo bytes: [UInt8]) throws(JOSEError) {
        let malformed = JOSEError(.subjectPublicKeyInfoInvalid, "bytes are not the DER of a SubjectPublicKeyInfo")
        var outer = DERReader(bytes)
        guard let body = outer.take(DER.sequence) else { throw malformed }
        var members = DERReader(body)
        guard let identifier = members.take(DER.sequence), let bits = members.take(DER.bitString), bits.first == 0
        else {
            throw malformed
        }
        let subjectPublicKey = Array(bits.dropFirst())
        var algorithm = DERReader(identifier)
        switch algorithm.take(DER.objectIdentifier) {
        case nil:
            throw malformed
        case ObjectIdentifier.rsaEncryption:
            var key = DERReader(subjectPublicKey)
            guard let content = key.take(DER.sequence) else { throw malformed }
            var numbers = DERReader(content)
            guard let modulus = numbers.take(DER.integer), let exponent = numbers.take(DER.integer) else {
                throw malformed
            }
            try self.init(rsaModulus: modulus, exponent: exponent)
        case ObjectIdentifier.ecPublicKey:
            guard let identifier = algorithm.take(DER.objectIdentifier) else { throw malformed }
            guard let curve = Curve.allCases.first(where: { $0.objectIdentifier == identifier }) else {
                throw JOSEError(.keyTypeUnsupported, "the elliptic curve of the public key is not P-256, P-384 or P-521")
            }
            guard subjectPublicKey.first == 0x04 else { throw malformed }
            try self.init(ecPoint: subjectPublicKey, on: curve)
        case ObjectIdentifier.ed25519:
            try self.init(ed25519: subjectPublicKey)
        default:
            throw JOSEError(.keyTypeUnsupported, "the public key is neither RSA, EC nor Ed25519")
        }
        // One check for all of DER's "exactly one encoding": shortest lengths and integers, the right parameters,
        // nothing after any member. Two encodings of one key would be two kids.
        guard subjectPublicKeyInfo == bytes else { throw malformed }
    }

    static func subjectPublicKeyInfo(of parameters: Parameters) -> [UInt8] {
        let algorithm: [UInt8]
        let key: [UInt8]
        switch parameters {
        case .rsa(let modulus, let exponent):
            algorithm = DER.element(DER.objectIdentifier, ObjectIdentifier.rsaEncryption) + DER.null
            key = DER.element(DER.sequence, DER.integer(magnitude: modulus) + DER.integer(magnitude: exponent))
        case .ec(let curve, let x, let y):
            algorithm =
                DER.element(DER.objectIdentifier, ObjectIdentifier.ecPublicKey)
                + DER.element(DER.objectIdentifier, curve.objectIdentifier)
            key = [0x04] + x + y
        case .ed25519(let bytes):
            algorithm = DER.element(DER.objectIdentifier, ObjectIdentifier.ed25519)
            key = bytes
        }
        return DER.element(DER.sequence, DER.element(DER.sequence, algorithm) + DER.bitString(key))
    }
}

/// Object identifiers as the content of their DER element.
enum ObjectIdentifier {
    /// 1.2.840.113549.1.1.1 (RFC 3279 §2.3.1).
    static let rsaEncryption: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
    /// 1.2.840.10045.2.1 (RFC 5480 §2.1.1).
    static let ecPublicKey: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]
    /// 1.3.101.112 (RFC 8410 §3).
    static let ed25519: [UInt8] = [0x2B, 0x65, 0x70]
}
