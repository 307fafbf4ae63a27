import Crypto

/// The entity tag of a document (RFC 9110 §8.8.3).
public enum ETag {
    /// The strong tag of these bytes, quotes included: base64url of the first 16 bytes of their SHA-256.
    public static func strong(of document: [UInt8]) -> String {
        "\"\(Base64URL.encodeToString(Array(SHA256.hash(data: document).prefix(16))))\""
    }
}
