import Crypto
import CryptoExtras

/// A public key that verifies JWTs: checked when it is made, with the SubjectPublicKeyInfo and kid that follow from it.
public struct PublicKey: Sendable, Hashable {
    /// The numbers of a public key, in the form a JWK shows them.
    public enum Parameters: Sendable, Hashable {
        /// Modulus and public exponent, big-endian, without leading zero bytes.
        case rsa(modulus: [UInt8], exponent: [UInt8])
        /// The coordinates of a point on P-256, 32 bytes each, big-endian.
        case p256(x: [UInt8], y: [UInt8])
    }

    /// The numbers of the key.
    public let parameters: Parameters

    /// The key as DER: RSA with NULL parameters, EC with a named curve and an uncompressed point.
    ///
    /// RFC 5280 §4.1.2.7, RFC 3279 §2.3.1, RFC 5480 §2.
    public let subjectPublicKeyInfo: [UInt8]

    /// `base64url(SHA-256(SubjectPublicKeyInfo DER))` without padding, 43 characters, as Kubernetes derives it.
    public let kid: String

    /// The smallest RSA modulus accepted, in bits (RFC 7518 §3.3).
    public static let minimumRSAModulusBits = 2048

    /// An RSA key from modulus and public exponent, big-endian; leading zero bytes are dropped.
    ///
    /// - Throws: ``JOSEError/Code/keyInvalid`` for a modulus under 2048 bits, and for numbers that are no RSA key.
    public init(rsaModulus: [UInt8], exponent: [UInt8]) throws(JOSEError) {
        let modulus = DER.withoutLeadingZeros(rsaModulus)
        let exponent = DER.withoutLeadingZeros(exponent)
        let bits = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
        guard bits >= Self.minimumRSAModulusBits else {
            throw JOSEError(.keyInvalid, "RSA modulus has \(bits) bits, fewer than \(Self.minimumRSAModulusBits)")
        }
        do {
            _ = try _RSA.Signing.PublicKey(n: modulus, e: exponent)
        } catch {
            throw JOSEError(.keyInvalid, "modulus and exponent are no RSA public key", cause: error)
        }
        self.init(.rsa(modulus: modulus, exponent: exponent))
    }

    /// A P-256 key from its uncompressed point, 65 bytes: `04 ‖ X ‖ Y` (SEC 1 §2.3.3, what X9.63 has).
    ///
    /// - Throws: ``JOSEError/Code/keyInvalid`` for another form, and for a point that is not on the curve.
    public init(p256Point point: [UInt8]) throws(JOSEError) {
        guard point.count == 65, point[0] == 0x04 else {
            throw JOSEError(.keyInvalid, "EC point of \(point.count) bytes is not an uncompressed point of P-256")
        }
        do {
            _ = try P256.Signing.PublicKey(x963Representation: point)
        } catch {
            throw JOSEError(.keyInvalid, "EC point is not on P-256", cause: error)
        }
        self.init(.p256(x: Array(point[1..<33]), y: Array(point[33..<65])))
    }

    private init(_ parameters: Parameters) {
        self.parameters = parameters
        subjectPublicKeyInfo = Self.subjectPublicKeyInfo(of: parameters)
        kid = Base64URL.encodeToString(Array(SHA256.hash(data: subjectPublicKeyInfo)))
    }

    /// What type of key it is.
    public var keyType: KeyType {
        switch parameters {
        case .rsa: .rsa
        case .p256: .p256
        }
    }

    /// Whether both are the same key.
    public static func == (lhs: PublicKey, rhs: PublicKey) -> Bool {
        lhs.subjectPublicKeyInfo == rhs.subjectPublicKeyInfo
    }

    /// Hashes what `==` compares.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(subjectPublicKeyInfo)
    }
}
