public import NIOCore
public import NIOHTTP1

/// A document as it is to be served at one moment.
public struct PublishedDocument: Sendable, Equatable {
    /// Which of the two documents it is.
    public let kind: DocumentKind
    /// The agent's bytes.
    public let body: ByteBuffer
    /// The entity tag with its quotes (RFC 9110 §8.8.3).
    public let etag: String
    /// Seconds a cache may keep it (RFC 9111 §5.2.2.1); never beyond the next change, never negative.
    public let maximumAge: Int64
    /// The header fields of every answer with it, be it 200 or 304; `Content-Type` is not among them.
    public let fields: HTTPHeaders
}

extension Publication {
    /// What a request for `path` gets at `time`; nil when nothing is published there. `limit` bounds the seconds that a cache may
    /// keep it, where something does beside the agent and the document's own end.
    ///
    /// Issuer URLs end in a slash, and some clients put one more between it and what they append to it. So a path at which nothing
    /// is published is answered like that without the second slash there, and with two slashes anywhere else not at all.
    public func document(at path: String, time: Moment, noLongerThan limit: Int64? = nil) -> PublishedDocument? {
        (routes[path] ?? route(withoutDoubledSlash: path))?.document(at: time, noLongerThan: limit)
    }

    private func route(withoutDoubledSlash path: String) -> Route? {
        var bytes = Array(path.utf8)
        let slash = UInt8(ascii: "/")
        guard let second = bytes.indices.dropFirst().last(where: { bytes[$0] == slash && bytes[$0 - 1] == slash }) else {
            return nil
        }
        bytes.remove(at: second)
        return routes[String(decoding: bytes, as: UTF8.self)].flatMap { $0.appendedAfter == second ? $0 : nil }
    }
}
