import StrictJSON

/// The JWS protected header of every JWT that one key signs (RFC 7515 §4), encoded once.
///
/// It holds `alg`, `kid` and `typ: "JWT"` and nothing else: whatever else a header may say, a relying party may obey.
public struct ProtectedHeader: Sendable, Equatable {
    /// The header as compact JSON, members in the order `alg`, `kid`, `typ`.
    public let json: [UInt8]
    /// The base64url text of ``json``, the first part of the compact serialization.
    public let base64URL: [UInt8]

    /// The header for JWTs signed with `algorithm` by the key called `kid`.
    public init(algorithm: JWSAlgorithm, kid: String) {
        let header: JSONValue = ["alg": .string(algorithm.rawValue), "kid": .string(kid), "typ": "JWT"]
        json = header.encoded()
        base64URL = Base64URL.encode(json)
    }
}
