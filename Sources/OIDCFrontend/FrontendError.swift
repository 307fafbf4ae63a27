public import Platform

/// Something that keeps the frontend from starting or from following the agent.
///
/// Equal by code; the message and the hint are one line each, for people.
public struct FrontendError: CodedError {
    /// What went wrong, as a value to compare with. Open: later versions may add codes.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The code's name.
        public let rawValue: String

        /// A code, known to this version or not.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The address cannot be listened on.
        public static let cannotListen = Code(rawValue: "cannotListen")
        /// The process may open too few files and connections.
        public static let tooFewDescriptors = Code(rawValue: "tooFewDescriptors")
        /// The cache directory is missing or cannot be written to.
        public static let cacheUnusable = Code(rawValue: "cacheUnusable")
        /// A cache file that this version did not write.
        public static let cacheForeign = Code(rawValue: "cacheForeign")
        /// What the agent or the cache says of an issuer's documents is not what it has to be.
        public static let documentsUnusable = Code(rawValue: "documentsUnusable")
        /// The TLS certificate or its key cannot be read, are not what they have to be, or do not belong together.
        public static let certificateUnusable = Code(rawValue: "certificateUnusable")
        /// The TLS certificate is not valid yet, or not any more.
        public static let certificateNotValid = Code(rawValue: "certificateNotValid")
        /// The agent's socket cannot be connected to.
        public static let agentUnreachable = Code(rawValue: "agentUnreachable")
        /// The agent did not answer in time.
        public static let agentSilent = Code(rawValue: "agentSilent")
        /// The connection to the agent ended, or what came over it is not the agent's protocol.
        public static let agentGone = Code(rawValue: "agentGone")
    }

    /// What went wrong.
    public let code: Code
    /// One line: what happened.
    public let message: String
    /// One line: what to do about it.
    public let hint: String
    /// What lies behind it, where something does.
    public let cause: (any Error)?

    /// Makes an error; `message` and `hint` are one line each.
    public init(_ code: Code, _ message: String, hint: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.cause = cause
    }
}
