import AgentProtocol
import Platform

/// The two public documents of an issuer URL.
public enum DocumentKind: Sendable, CaseIterable {
    /// OpenID Connect Discovery 1.0 §4.
    case discovery
    /// The JWK set, RFC 7517 §5.
    case jwks

    /// The media type: §4.2 of OpenID Connect Discovery 1.0, and RFC 7517 §8.5.2.
    public var mediaType: String {
        switch self {
        case .discovery: "application/json"
        case .jwks: "application/jwk-set+json"
        }
    }

    func uri(in url: PublishedURL) -> String {
        switch self {
        case .discovery: url.discoveryUri
        case .jwks: url.jwksUri
        }
    }

    /// The path that a request for it names; nil when its URL has none.
    func path(in url: PublishedURL) -> String? {
        guard let rest = WebURL(uri(in: url))?.rest, !rest.isEmpty else { return nil }
        return String(rest)
    }

    func document(in version: DocumentVersion) -> Document {
        switch self {
        case .discovery: version.discovery
        case .jwks: version.jwks
        }
    }
}
