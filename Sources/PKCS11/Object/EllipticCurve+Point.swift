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
