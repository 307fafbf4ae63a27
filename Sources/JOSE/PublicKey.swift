import Crypto
import CryptoExtras

/// A public key that verifies JWTs: checked when it is made, with the SubjectPublicKeyInfo and kid that follow from it.
public struct PublicKey: Sendable, Hashable {
    /// The numbers of a public key, in the form a JWK shows them.
    public enum Parameters: Sendable, Hashable {
        /// Modulus and public exponent, big-endian, without leading zero bytes.
        case rsa(modulus: [UInt8], exponent: [UInt8])
        /// The coordinates of a point, big-endian, each at the curve's full width.
        case ec(Curve, x: [UInt8], y: [UInt8])
        /// The 32 bytes of RFC 8032 §5.1.5.
        case ed25519([UInt8])
    }

    /// The numbers of the key.
    public let parameters: Parameters

    /// The key as DER: RSA with NULL parameters, EC with a named curve and an uncompressed point, Ed25519 without
    /// parameters.
    ///
    /// RFC 5280 §4.1.2.7, RFC 3279 §2.3.1, RFC 5480 §2, RFC 8410 §4.
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
        let bits = Self.bitCount(modulus)
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

    /// An ECDSA key from its uncompressed point: `04 ‖ X ‖ Y`, both at the curve's full width (SEC 1 §2.3.3, what X9.63 has).
    ///
    /// - Throws: ``JOSEError/Code/keyInvalid`` for another form, and for a point that is not on the curve.
    public init(ecPoint point: [UInt8], on curve: Curve) throws(JOSEError) {
        let length = curve.coordinateLength
        guard point.count == 1 + 2 * length, point[0] == 0x04 else {
            throw JOSEError(
                .keyInvalid, "EC point of \(point.count) bytes is not an uncompressed point of \(curve.rawValue)")
        }
        do {
            switch curve {
            case .p256: _ = try P256.Signing.PublicKey(x963Representation: point)
            case .p384: _ = try P384.Signing.PublicKey(x963Representation: point)
            case .p521: _ = try P521.Signing.PublicKey(x963Representation: point)
            }
        } catch {
            throw JOSEError(.keyInvalid, "EC point is not on \(curve.rawValue)", cause: error)
        }
        self.init(.ec(curve, x: Array(point[1..<1 + length]), y: Array(point[(1 + length)...])))
    }

    /// An Ed25519 key from its 32 bytes (RFC 8032 §5.1.5).
    ///
    /// - Throws: ``JOSEError/Code/keyInvalid`` for another length, and for bytes the crypto library does not take.
    public init(ed25519 bytes: [UInt8]) throws(JOSEError) {
        do {
            _ = try Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        } catch {
            throw JOSEError(.keyInvalid, "\(bytes.count) bytes are no Ed25519 public key", cause: error)
        }
        self.init(.ed25519(bytes))
    }

    private init(_ parameters: Parameters) {
        self.parameters = parameters
        subjectPublicKeyInfo = Self.subjectPublicKeyInfo(of: parameters)
        kid = Base64URL.encodeToString(Array(SHA256.hash(data: subjectPublicKeyInfo)))
    }

    /// What type of key it is.
    // Not inlined: swiftc 6.3.1, when it optimises, crashes on functions of other modules that ask a key for this and more.
    @inline(never)
    public var keyType: PublicKeyType {
        switch parameters {
        case .rsa: .rsa
        case .ec(let curve, _, _): .ec(curve)
        case .ed25519: .ed25519
        }
    }

    /// The length of an RSA modulus in bits; nil for another type of key.
    public var rsaModulusBits: Int? {
        guard case .rsa(let modulus, _) = parameters else { return nil }
        return Self.bitCount(modulus)
    }

    /// Of a big-endian number without leading zero bytes.
    private static func bitCount(_ number: [UInt8]) -> Int {
        number.count * 8 - (number.first?.leadingZeroBitCount ?? 0)
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
