import AgentProtocol
import JOSE
import KeyLifecycle

/// The public documents of an issuer, now and as they will be once its retiring key has expired.
enum IssuerDocuments {
    /// Where the key set of an issuer URL is served. The URL ends in a slash.
    static func jwksURI(_ issuerURL: String) -> String {
        issuerURL + "openid/v1/jwks"
    }

    /// Where the discovery document of an issuer URL is served (OpenID Connect Discovery 1.0 §4).
    static func discoveryURI(_ issuerURL: String) -> String {
        issuerURL + ".well-known/openid-configuration"
    }

    /// - Throws: `JOSEError` for a stored public key that is none.
    static func discovery(of issuer: Issuer, at now: Timestamp) throws -> DiscoveryResult {
        let versions = try keySets(of: issuer, at: now).map { from, keys in
            (from: from, keys: keys, jwks: Document(try JWKSet.encode(keys)))
        }
        var urls: [PublishedURL] = []
        func publish(_ url: String, isCurrent: Bool, expiresAt: Timestamp?) {
            urls.append(
                PublishedURL(
                    issuerUrl: url, discoveryUri: discoveryURI(url), jwksUri: jwksURI(url), current: isCurrent,
                    expiresAt: expiresAt.map(WireTime.init), maxAgeSeconds: issuer.settings.jwksMaxAge,
                    versions: versions.map { version in
                        let document = DiscoveryDocument(
                            issuer: url, jwksURI: jwksURI(url), algorithms: version.keys.map(\.algorithm))
                        return DocumentVersion(
                            from: WireTime(version.from), discovery: Document(document.encoded), jwks: version.jwks)
                    }))
        }
        if case .enabled(let url) = issuer.profile { publish(url, isCurrent: true, expiresAt: nil) }
        for accepted in issuer.acceptedIssuers { publish(accepted.url, isCurrent: false, expiresAt: accepted.expiresAt) }
        return DiscoveryResult(
            issuer: issuer.name.text, generation: issuer.generation, dataTimestamp: WireTime(now),
            jwks: versions[0].jwks, urls: urls)
    }

    private typealias KeySet = [(key: PublicKey, algorithm: JWSAlgorithm)]

    /// The key set in force, and the one after the retiring key's end.
    private static func keySets(of issuer: Issuer, at now: Timestamp) throws -> [(from: Timestamp, keys: KeySet)] {
        let published = issuer.ring.published
        func keySet(_ keys: [SigningKey]) throws -> KeySet {
            try keys.map { (try PublicKey(subjectPublicKeyInfo: $0.publicKey), $0.algorithm.jws) }
        }
        var sets = [(from: min(issuer.changedAt, now), keys: try keySet(published))]
        if let end = issuer.ring.retiring?.expiresAt, end > now {
            sets.append((from: end, keys: try keySet(published.filter { $0.state != .retiring })))
        }
        return sets
    }
}

extension Issuer {
    /// Whether it has a URL under which documents are to be served.
    var isServed: Bool {
        if case .enabled = profile { return true }
        return !acceptedIssuers.isEmpty
    }
}

extension Document {
    fileprivate init(_ bytes: [UInt8]) {
        self.init(body: String(decoding: bytes, as: UTF8.self), etag: ETag.strong(of: bytes))
    }
}
