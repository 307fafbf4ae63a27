/// How a token spells the curve of Ed25519 in `CKA_EC_PARAMS`; the standard has both (PKCS#11 v3.0 current mechanisms
/// §2.3.10), and few tokens take the two.
public enum Edwards25519: CaseIterable, Hashable, Sendable {
    /// The object identifier 1.3.101.112 (RFC 8410 §3).
    case objectIdentifier
    /// The PrintableString "edwards25519".
    case printableString

    /// The DER in `CKA_EC_PARAMS`.
    public var parameters: [UInt8] {
        switch self {
        case .objectIdentifier: [0x06, 0x03, 0x2B, 0x65, 0x70]
        case .printableString: [0x13, 0x0C] + Array("edwards25519".utf8)
        }
    }

    /// The spelling these parameters are, nil for another curve.
    public init?(parameters: [UInt8]) {
        guard let spelling = Self.allCases.first(where: { $0.parameters == parameters }) else { return nil }
        self = spelling
    }

    /// The 32 bytes of the public key in a `CKA_EC_POINT`.
    ///
    /// Tokens give them as they are, or wrapped in a DER OCTET STRING or, by an early draft of v3.0, in a BIT STRING: the
    /// length tells the three apart. Throws ``PKCS11Error`` with the code `attributeMalformed` for anything else.
    public static func point(fromAttribute value: [UInt8]) throws(PKCS11Error) -> [UInt8] {
        let headers: [[UInt8]] = [[], [0x04, 0x20], [0x03, 0x21, 0x00]]
        guard let header = headers.first(where: { value.count == $0.count + 32 && value.starts(with: $0) }) else {
            throw PKCS11Error(
                .attributeMalformed, "CKA_EC_POINT of \(value.count) bytes is no Ed25519 public key")
        }
        return Array(value.dropFirst(header.count))
    }
}
