/// An elliptic curve a key can be on.
public struct EllipticCurve: Hashable, Sendable {
    /// The name NIST gives it, which is also its name in a JWK (RFC 7518 §6.2.1.1).
    public let name: String

    /// The curve's object identifier in DER, as it stands in `CKA_EC_PARAMS` (PKCS#11 v2.40 current mechanisms §2.3.3).
    public let parameters: [UInt8]

    /// The length of a coordinate and of each half of a signature, in bytes.
    public let coordinateLength: Int

    /// secp256r1, 1.2.840.10045.3.1.7 (RFC 5480 §2.1.1.1).
    public static let p256 = EllipticCurve(
        name: "P-256", parameters: [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07], coordinateLength: 32)
    /// secp384r1, 1.3.132.0.34 (RFC 5480 §2.1.1.1).
    public static let p384 = EllipticCurve(
        name: "P-384", parameters: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22], coordinateLength: 48)
    /// secp521r1, 1.3.132.0.35 (RFC 5480 §2.1.1.1).
    public static let p521 = EllipticCurve(
        name: "P-521", parameters: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23], coordinateLength: 66)

    /// The curve with these parameters, nil for one that is not known here.
    public init?(parameters: [UInt8]) {
        guard let curve = [Self.p256, .p384, .p521].first(where: { $0.parameters == parameters }) else { return nil }
        self = curve
    }

    private init(name: String, parameters: [UInt8], coordinateLength: Int) {
        self.name = name
        self.parameters = parameters
        self.coordinateLength = coordinateLength
    }
}

extension EllipticCurve: CustomStringConvertible {
    public var description: String { name }
}
