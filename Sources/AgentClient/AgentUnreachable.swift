public import Platform

/// The agent cannot be talked to, or not any longer. Equal by code.
public struct AgentUnreachable: CodedError {
    /// What stands between. The set is open.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The path cannot be that of a socket: empty, or too long for the platform.
        public static let pathInvalid = Code(rawValue: "path-invalid")
        /// Nothing is at the path.
        public static let socketMissing = Code(rawValue: "socket-missing")
        /// Nobody listens on the socket.
        public static let refused = Code(rawValue: "refused")
        /// Somebody listens, and takes no connection for all those that wait already.
        public static let busy = Code(rawValue: "busy")
        /// The operating system does not let this user connect.
        public static let permissionDenied = Code(rawValue: "permission-denied")
        /// Connecting failed in another way.
        public static let connectFailed = Code(rawValue: "connect-failed")
        /// The connection ended while a call was under way: whether it was carried out is not known.
        public static let connectionLost = Code(rawValue: "connection-lost")
        /// No reply came in the time that it was waited for: whether the call was carried out, or will be, is not known.
        public static let noReply = Code(rawValue: "no-reply")
        /// The connection had ended before the call: it was not sent.
        public static let connectionClosed = Code(rawValue: "connection-closed")
        /// What came back is not this protocol; the connection has been given up, calls under way have an unknown outcome.
        public static let malformedReply = Code(rawValue: "malformed-reply")
    }

    public let code: Code
    /// The socket's path.
    public let path: String
    /// What happened, in one line.
    public let message: String
    /// What to do about it, in one line.
    public let hint: String
    /// The error underneath, when there is one.
    public let cause: (any Error)?

    public init(_ code: Code, path: String, message: String, hint: String, cause: (any Error)? = nil) {
        self.code = code
        self.path = path
        self.message = message
        self.hint = hint
        self.cause = cause
    }

    /// Whether the agent may have carried out the call that failed with this.
    public var isOutcomeUnknown: Bool {
        code == .connectionLost || code == .malformedReply || code == .noReply
    }
}
