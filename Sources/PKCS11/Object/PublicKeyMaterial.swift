/// The public half of a key pair, as numbers.
public enum PublicKeyMaterial: Hashable, Sendable {
    /// Both numbers big-endian without leading zeroes.
    case rsa(modulus: [UInt8], exponent: [UInt8])
    /// The point uncompressed: `04`, X, Y (X9.63).
    case ec(curve: EllipticCurve, point: [UInt8])
    /// The 32 bytes of RFC 8032 §5.1.5.
    case ed25519([UInt8])
}

extension Session {
    /// Reads a public key from its object.
    ///
    /// Throws ``PKCS11Error``: `keyUnsupported` for a key type or curve that is not known here, `attributeMalformed`
    /// when a part is missing or has the wrong form.
    public func publicKey(of object: ObjectHandle) throws(PKCS11Error) -> PublicKeyMaterial {
        guard let number = try number(.keyType, of: object) else { throw missing(.keyType) }
        switch KeyType(rawValue: number) {
        case .rsa:
            return .rsa(
                modulus: try positiveInteger(.modulus, of: object),
                exponent: try positiveInteger(.publicExponent, of: object))
        case .ec:
            guard let parameters = try bytes(.ecParameters, of: object) else { throw missing(.ecParameters) }
            guard let curve = EllipticCurve(parameters: parameters) else {
                throw PKCS11Error(.keyUnsupported, "the key is on an elliptic curve that is not known here")
            }
            guard let point = try bytes(.ecPoint, of: object) else { throw missing(.ecPoint) }
            return .ec(curve: curve, point: try curve.point(fromAttribute: point))
        case .ecEdwards:
            guard let parameters = try bytes(.ecParameters, of: object) else { throw missing(.ecParameters) }
            guard Edwards25519(parameters: parameters) != nil else {
                throw PKCS11Error(.keyUnsupported, "the key is on an Edwards curve that is not known here")
            }
            guard let point = try bytes(.ecPoint, of: object) else { throw missing(.ecPoint) }
            return .ed25519(try Edwards25519.point(fromAttribute: point))
        case let other:
            throw PKCS11Error(.keyUnsupported, "the key is of type \(other), not RSA, EC or Ed25519")
        }
    }

    /// A number that some tokens put zeroes in front of.
    private func positiveInteger(_ type: AttributeType, of object: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        guard let value = try bytes(type, of: object) else { throw missing(type) }
        let digits = value.drop { $0 == 0 }
        guard !digits.isEmpty else { throw PKCS11Error(.attributeMalformed, "attribute \(type) is zero") }
        return Array(digits)
    }

    private func missing(_ type: AttributeType) -> PKCS11Error {
        PKCS11Error(.attributeMalformed, "the key has no attribute \(type)")
    }
}
