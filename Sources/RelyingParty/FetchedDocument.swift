/// A document as a server gave it.
public struct FetchedDocument: Sendable, Equatable {
    /// The HTTP status.
    public let status: Int
    /// The media type, when the server named one.
    public let contentType: String?
    /// The body.
    public let body: [UInt8]

    /// A document.
    public init(status: Int, contentType: String?, body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}
