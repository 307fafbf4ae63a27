/// A JSON Web Key Set (RFC 7517 §5): the document relying parties take an issuer's keys from.
public enum JWKSet {
    /// The document `{"keys":[…]}` with the keys in the order given; media type `application/jwk-set+json`.
    ///
    /// - Throws: ``JOSEError/Code/algorithmMismatch`` when an algorithm belongs to another key type than its key.
    public static func encode(_ keys: [(key: PublicKey, algorithm: JWSAlgorithm)]) throws(JOSEError) -> [UInt8] {
        var texts: [[UInt8]] = []
        for (key, algorithm) in keys {
            texts.append(try JWK(key, algorithm).encoded)
        }
        var text = JSONText()
        text.appendObject([("keys", .encoded(texts))])
        return text.bytes
    }
}
