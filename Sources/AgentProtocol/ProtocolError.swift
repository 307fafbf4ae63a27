public import StrictJSON

/// A JSON-RPC error as it goes over the wire: `{code, message, data: {reason, retryable, hint?, ...}}`.
///
/// Equal by reason. The message says what happened and the hint what to do, a line each; neither carries a PIN, a payload
/// or a JWT.
public struct ProtocolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The JSON-RPC 2.0 error code; what an unknown server sent, or `reason.code`.
    public let code: Int
    /// What happened, in one line.
    public let message: String
    public let reason: Reason
    /// Whether the same request may succeed later.
    public let retryable: Bool
    /// What to do about it, in one line.
    public let hint: String?
    /// Further members of `data`, such as the current `generation` of a `CONFLICT`.
    public let details: [String: JSONValue]

    public init(
        _ reason: Reason, _ message: String, hint: String? = nil, retryable: Bool? = nil, details: [String: JSONValue] = [:]
    ) {
        self.init(
            code: reason.code, message: message, reason: reason, retryable: retryable ?? reason.isRetryable, hint: hint,
            details: details)
    }

    public init(
        code: Int, message: String, reason: Reason, retryable: Bool, hint: String?, details: [String: JSONValue]
    ) {
        self.code = code
        // Names that a sender chose stand in them; and to a client the agent is a sender too.
        self.message = onOneLine(message)
        self.reason = reason
        self.retryable = retryable
        self.hint = hint.map(onOneLine)
        self.details = details
    }

    public static func == (left: ProtocolError, right: ProtocolError) -> Bool {
        left.reason == right.reason
    }

    public var description: String { "\(reason): \(message)" }
}
