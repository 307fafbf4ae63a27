import AgentProtocol
import NIOCore
import NIOHTTP1
import Platform

/// One path, and everything it will be answered with until its URL ends.
struct Route: Sendable {
    struct Version: Sendable {
        let from: WireTime
        let body: ByteBuffer
        let etag: String
        /// With the `max-age` of a document that does not change soon.
        let fields: HTTPHeaders
    }

    let issuer: String
    let kind: DocumentKind
    /// How many bytes of the path are the issuer URL's, where the document's URL is that with something behind its last slash.
    let appendedAfter: Int?
    private let saidAt: WireTime
    private let expiresAt: WireTime?
    private let maximumAge: Int64
    private let versions: [Version]

    init(_ kind: DocumentKind, of url: PublishedURL, in result: DiscoveryResult) {
        issuer = result.issuer
        self.kind = kind
        let base = WebURL(url.issuerUrl)?.rest ?? ""
        appendedAfter = base.hasSuffix("/") && kind.uri(in: url).hasPrefix(url.issuerUrl) ? base.utf8.count : nil
        saidAt = result.dataTimestamp
        expiresAt = url.expiresAt
        let maximumAge = Int64(max(0, url.maxAgeSeconds))
        self.maximumAge = maximumAge
        versions = url.versions.map { version in
            let document = kind.document(in: version)
            return Version(
                from: version.from, body: ByteBuffer(string: document.body), etag: document.etag,
                fields: [
                    "Cache-Control": cacheControl(maximumAge),
                    "ETag": document.etag,
                    "X-Content-Type-Options": "nosniff",
                    // Relying parties in browsers read the documents as well; there is nothing private in them.
                    "Access-Control-Allow-Origin": "*",
                    "Access-Control-Expose-Headers": "ETag",
                    // RFC 9110 §8.6: in a 304 it is that of the document too.
                    "Content-Length": "\(document.body.utf8.count)",
                ])
        }
    }

    /// The answer at `time`; nil before the first version and from the end of the URL on.
    ///
    /// A clock that was set back behind the agent's answer counts as standing at that answer: what the agent said to be past
    /// stays past, and what was served then goes on being served.
    func document(at time: Moment, noLongerThan limit: Int64?) -> PublishedDocument? {
        let time = max(time, Moment(saidAt))
        if let expiresAt, time.hasReached(expiresAt) { return nil }
        guard let inForce = versions.last(where: { time.hasReached($0.from) }) else { return nil }
        // A cache that kept the document longer would hold a key or a URL beyond its end.
        let next = versions.lazy.map(\.from).filter { !time.hasReached($0) }.min()
        let ends = [next, expiresAt].compactMap { $0.map(time.wholeSeconds(until:)) }
        let age = min(maximumAge, ends.min() ?? maximumAge, limit ?? maximumAge)
        var fields = inForce.fields
        if age != maximumAge { fields.replaceOrAdd(name: "Cache-Control", value: cacheControl(age)) }
        return PublishedDocument(kind: kind, body: inForce.body, etag: inForce.etag, maximumAge: age, fields: fields)
    }
}

private func cacheControl(_ seconds: Int64) -> String { "public, max-age=\(seconds)" }
