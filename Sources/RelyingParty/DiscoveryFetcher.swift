public import Foundation

/// What an issuer publishes of itself.
public struct PublishedIssuer: Sendable, Equatable {
    /// The issuer's URL, as asked for and as the document has it.
    public let issuer: String
    /// Where its keys are.
    public let jwksURI: String
    /// The discovery document, byte for byte.
    public let discovery: [UInt8]
    /// The JSON Web Key Set, byte for byte.
    public let keySet: [UInt8]
}

/// Fetches an issuer's discovery document and its keys, as a relying party does (OpenID Connect Discovery 1.0 §4).
///
/// `http` URLs are taken, since issuers on loopback have no certificate: what comes over one proves nothing about who sent it.
public struct DiscoveryFetcher: Sendable {
    /// Gets the document at a URL; any status is a document, only a failure to get one throws.
    public typealias Fetch = @Sendable (URL) async throws -> FetchedDocument

    /// The largest document taken, in bytes.
    public static let maximumDocumentSize = 1_048_576

    private let fetch: Fetch

    /// A fetcher over HTTP(S) that gives up on a document after `timeout`.
    public init(
        timeout: Duration = .seconds(10), authorities: CertificateAuthorities = .machine, proxies: ProxySettings = .none
    ) {
        self.init(fetch: { url in
            try await HTTPDocument.fetch(
                url, maximumSize: Self.maximumDocumentSize, timeout: timeout, authorities: authorities, proxies: proxies)
        })
    }

    /// A fetcher that gets its documents from `fetch`.
    public init(fetch: @escaping Fetch) {
        self.fetch = fetch
    }

    /// The discovery document and the key set of the issuer with this URL, with or without a trailing slash.
    ///
    /// - Throws: `issuerURLInvalid`, `unreachable`, `certificateUntrusted`, `authoritiesUnusable`, `proxyInvalid`, `httpStatus`,
    ///   `documentTooLarge`, `documentInvalid` or `discoveryIssuerMismatch` of ``VerificationError/Code``.
    public func issuer(_ issuer: String) async throws(VerificationError) -> PublishedIssuer {
        let isSecure = try Self.checkIssuerURL(issuer)
        let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        let discoveryURL = try Self.url(base + "/.well-known/openid-configuration", .issuerURLInvalid, "the issuer URL")
        let discovery = try await document("discovery document", at: discoveryURL)
        let members: DiscoveryMembers
        do {
            members = try JSONDecoder().decode(DiscoveryMembers.self, from: Data(discovery.body))
        } catch {
            throw Self.invalid(
                "discovery document", at: discoveryURL, discovery,
                "is not a JSON object with the strings issuer and jwks_uri", cause: error)
        }
        guard members.issuer == issuer else {
            // A stranger's text: its control characters must not reach a terminal.
            let quoted = String(reflecting: members.issuer)
            throw VerificationError(
                .discoveryIssuerMismatch,
                "the discovery document at \(discoveryURL.absoluteString) is of issuer \(quoted), not \"\(issuer)\"",
                hint: members.issuer == base || members.issuer == issuer + "/"
                    ? "They differ in the trailing slash only: ask for \(quoted)."
                    : "Ask for the issuer by the URL it has in the JWT's iss; a proxy in front of it must not change it."
            )
        }
        let keySetURL = try Self.url(members.jwksURI, .documentInvalid, "the discovery document's jwks_uri")
        guard !isSecure || keySetURL.scheme?.lowercased() == "https" else {
            throw VerificationError(
                .documentInvalid, "an https issuer has its keys at the http URL \(keySetURL.absoluteString)",
                hint: "Whoever runs the issuer must publish an https jwks_uri.")
        }
        let keySet = try await document("key set", at: keySetURL)
        guard (try? JSONDecoder().decode(KeySetMembers.self, from: Data(keySet.body))) != nil else {
            throw Self.invalid("key set", at: keySetURL, keySet, "is not a JSON object with the array keys", cause: nil)
        }
        return PublishedIssuer(
            issuer: issuer, jwksURI: members.jwksURI, discovery: discovery.body, keySet: keySet.body)
    }

    private func document(_ name: String, at url: URL) async throws(VerificationError) -> FetchedDocument {
        let document: FetchedDocument
        do {
            document = try await fetch(url)
        } catch let error as VerificationError {
            throw error
        } catch {
            throw VerificationError(
                .unreachable, "cannot get the \(name) from \(url.absoluteString): \(HTTPDocument.text(of: error))",
                hint: "Check that the issuer is running, and that this machine reaches its host and port.", cause: error
            )
        }
        guard document.status == 200 else {
            throw VerificationError(
                .httpStatus, "the server answered \(document.status) for the \(name) at \(url.absoluteString)",
                hint: document.status == 404
                    ? "Check the issuer URL; an issuer whose OIDC profile is disabled has no documents."
                    : "Look into the log of the server that answers there.")
        }
        guard document.body.count <= Self.maximumDocumentSize else {
            throw HTTPDocument.tooLarge(url, Self.maximumDocumentSize)
        }
        return document
    }

    /// Checks what RFC 8414 §2 asks of an issuer URL, and says whether it is https.
    private static func checkIssuerURL(_ issuer: String) throws(VerificationError) -> Bool {
        let url = try url(issuer, .issuerURLInvalid, "the issuer URL")
        guard !issuer.contains("?"), !issuer.contains("#") else {
            throw VerificationError(
                .issuerURLInvalid, "the issuer URL \(String(reflecting: issuer)) has a query or a fragment",
                hint: "Give the URL as it is in the JWT's iss.")
        }
        return url.scheme?.lowercased() == "https"
    }

    private static func url(
        _ text: String, _ code: VerificationError.Code, _ name: String
    ) throws(VerificationError) -> URL {
        guard let url = URL(string: text), let scheme = url.scheme?.lowercased(), ["https", "http"].contains(scheme),
            let host = url.host(), !host.isEmpty
        else {
            throw VerificationError(
                code, "\(name) \(String(reflecting: text)) is no http or https URL",
                hint: "It is an absolute URL such as https://oidc.example.com/tenant/id/.")
        }
        return url
    }

    private static func invalid(
        _ name: String, at url: URL, _ document: FetchedDocument, _ fault: String, cause: (any Error)?
    ) -> VerificationError {
        VerificationError(
            .documentInvalid, "the \(name) at \(url.absoluteString) \(fault)",
            hint:
                "The server calls it \(document.contentType.map { String(reflecting: $0) } ?? "nothing"); check that an OIDC issuer answers there.",
            cause: cause)
    }
}

private struct DiscoveryMembers: Decodable {
    let issuer: String
    let jwksURI: String

    private enum CodingKeys: String, CodingKey {
        case issuer
        case jwksURI = "jwks_uri"
    }
}

private struct KeySetMembers: Decodable {
    struct AnyMember: Decodable {
        init(from decoder: any Decoder) {}
    }

    let keys: [AnyMember]
}
