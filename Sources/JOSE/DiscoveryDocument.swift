import Crypto
import StrictJSON

/// An issuer's discovery document (OpenID Connect Discovery 1.0 §3), with what Kubernetes and AKS serve and nothing else.
public struct DiscoveryDocument: Sendable, Equatable {
    /// The issuer's URL, equal to `iss` character by character.
    public let issuer: String
    /// Where the JWK set is.
    public let jwksURI: String
    /// The algorithms of the published keys, each once, sorted by name.
    public let algorithms: [JWSAlgorithm]

    /// A document; `algorithms` may come in any order and repeat.
    public init(issuer: String, jwksURI: String, algorithms: some Sequence<JWSAlgorithm>) {
        self.issuer = issuer
        self.jwksURI = jwksURI
        self.algorithms = Set(algorithms).sorted { $0.rawValue < $1.rawValue }
    }

    /// The JSON that is served: compact, members in the order Kubernetes writes them; media type `application/json`.
    public var encoded: [UInt8] {
        let document: JSONValue = [
            "issuer": .string(issuer),
            "jwks_uri": .string(jwksURI),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": .array(algorithms.map { .string($0.rawValue) }),
        ]
        return document.encoded()
    }
}

/// The entity tag of a document (RFC 9110 §8.8.3).
public enum ETag {
    /// The strong tag of these bytes, quotes included: base64url of the first 16 bytes of their SHA-256.
    public static func strong(of document: [UInt8]) -> String {
        "\"\(Base64URL.encodeToString(Array(SHA256.hash(data: document).prefix(16))))\""
    }
}
