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
