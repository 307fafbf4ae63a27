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
    /// What a request for `path` gets at `time`; nil when nothing is published there.
    public func document(at path: String, time: Moment) -> PublishedDocument? {
        routes[path]?.document(at: time)
    }
}
