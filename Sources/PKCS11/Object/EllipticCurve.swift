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

extension EllipticCurve {
    /// The uncompressed point (X9.63: `04`, X, Y) in a `CKA_EC_POINT`.
    ///
    /// The standard wants it wrapped in a DER OCTET STRING (PKCS#11 v2.40 current mechanisms §2.3.3), which some tokens
    /// leave out. Both forms begin with `04`; the length tells them apart. tpm2-pkcs11 1.9 writes the length of a P-521 point,
    /// 133, into one byte, which no DER is and which can mean nothing else. Throws ``PKCS11Error`` with the code
    /// `attributeMalformed` for anything else, a compressed point included.
    public func point(fromAttribute value: [UInt8]) throws(PKCS11Error) -> [UInt8] {
        let length = 1 + 2 * coordinateLength
        // Two bytes of length from 128 on, one below (X.690 §8.1.3).
        let headers: [[UInt8]] = [[0x04, UInt8(length)], [0x04, 0x81, UInt8(length)]]
        let allowed = length < 128 ? headers.prefix(1) : headers[...]
        let header = allowed.first { value.count == $0.count + length && value.starts(with: $0) } ?? []
        let point = value.dropFirst(header.count)
        guard point.count == length, point.first == 0x04 else {
            throw PKCS11Error(
                .attributeMalformed, "CKA_EC_POINT of \(value.count) bytes is no uncompressed point on \(name)")
        }
        return Array(point)
    }
}

extension EllipticCurve {
    /// An ECDSA signature as R‖S with both halves of their full length, as JWS wants it (RFC 7518 §3.4).
    ///
    /// PKCS#11 makes both halves as long as the longer one needs (v2.40 current mechanisms §2.3.1), so a token may return
    /// fewer bytes; some return more, with zeroes in front. Throws ``PKCS11Error`` with the code `signatureMalformed`
    /// for what is no such pair.
    public func fixedWidthSignature(_ signature: [UInt8]) throws(PKCS11Error) -> [UInt8] {
        if signature.count == 2 * coordinateLength { return signature }
        guard !signature.isEmpty, signature.count.isMultiple(of: 2) else { throw malformed(signature) }
        let half = signature.count / 2
        var result: [UInt8] = []
        result.reserveCapacity(2 * coordinateLength)
        for part in [signature.prefix(half), signature.suffix(half)] {
            let digits = part.drop { $0 == 0 }
            guard digits.count <= coordinateLength else { throw malformed(signature) }
            result.append(contentsOf: repeatElement(0, count: coordinateLength - digits.count))
            result.append(contentsOf: digits)
        }
        return result
    }

    private func malformed(_ signature: [UInt8]) -> PKCS11Error {
        PKCS11Error(
            .signatureMalformed, function: "C_Sign",
            "the token returned \(signature.count) bytes, which is no ECDSA signature on \(name)")
    }
}
