import AgentProtocol
import NIOCore

/// One path, and everything it will be answered with until its URL ends.
struct Route: Sendable {
    struct Version: Sendable {
        let from: WireTime
        let body: ByteBuffer
        let etag: String
    }

    let issuer: String
    let kind: DocumentKind
    private let saidAt: WireTime
    private let expiresAt: WireTime?
    private let maximumAge: Int64
    private let versions: [Version]

    init(_ kind: DocumentKind, of url: PublishedURL, in result: DiscoveryResult) {
        issuer = result.issuer
        self.kind = kind
        saidAt = result.dataTimestamp
        expiresAt = url.expiresAt
        maximumAge = Int64(max(0, url.maxAgeSeconds))
        versions = url.versions.map { version in
            let document = kind.document(in: version)
            return Version(from: version.from, body: ByteBuffer(string: document.body), etag: document.etag)
        }
    }

    /// The answer at `time`; nil before the first version and from the end of the URL on.
    ///
    /// A clock that was set back behind the agent's answer counts as standing at that answer: what the agent said to be past
    /// stays past, and what was served then goes on being served.
    func document(at time: Moment) -> PublishedDocument? {
        let time = max(time, Moment(saidAt))
        if let expiresAt, time.hasReached(expiresAt) { return nil }
        guard let inForce = versions.last(where: { time.hasReached($0.from) }) else { return nil }
        // A cache that kept the document longer would hold a key or a URL beyond its end.
        let next = versions.lazy.map(\.from).filter { !time.hasReached($0) }.min()
        let ends = [next, expiresAt].compactMap { $0.map(time.wholeSeconds(until:)) }
        return PublishedDocument(
            kind: kind, body: inForce.body, etag: inForce.etag, maximumAge: min(maximumAge, ends.min() ?? maximumAge))
    }
}
