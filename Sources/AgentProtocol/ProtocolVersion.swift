// The protocol is JSON: who imports it has the values that its messages are made of.
@_exported public import StrictJSON

/// Versions this build speaks for. The protocol version changes its first number only when an old client would break.
public enum ProtocolVersion {
    /// The release of PrivySeal, `major.minor.patch`.
    public static let agent = "0.1.0"
    /// The protocol of `protocol.md`, `major.minor`.
    public static let current = "1.1"
    /// The oldest client release whose requests this agent still serves.
    public static let oldestClient = "0.1.0"
}

/// Bounds of the wire, in bytes and counts. A request over one of them gets an error and the connection lives on.
public enum ProtocolLimits {
    /// Bytes of one request line, its LF not counted.
    public static let requestLine = 65_536
    /// Bytes of one reply line, its LF not counted.
    public static let replyLine = 1_048_576
    /// Objects and arrays inside each other.
    public static let depth = JSONScanner.depthLimit
    /// Entries on one page of a list, unless the request asks for fewer.
    public static let defaultPage = 100
    public static let maximumPage = 500
}
