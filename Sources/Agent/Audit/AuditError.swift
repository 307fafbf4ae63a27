public import Platform

/// Why something cannot be recorded, or the audit log not be opened.
public struct AuditError: CodedError {
    /// Open: later versions may add codes.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The file cannot be opened, or is not one to write to.
        public static let unusable = Code(rawValue: "unusable")
        /// A record could not be written or not be brought to the disk.
        public static let notWritten = Code(rawValue: "not-written")
        /// What ends the file is no record.
        public static let damaged = Code(rawValue: "damaged")
        /// The log has been closed.
        public static let closed = Code(rawValue: "closed")
        /// The head could not be signed.
        public static let unsigned = Code(rawValue: "unsigned")
        /// What was given as the audit key is none.
        public static let keyInvalid = Code(rawValue: "key-invalid")
    }

    public let code: Code
    /// What happened, in one line.
    public let message: String
    /// What to do, in one line.
    public let hint: String

    public init(_ code: Code, _ message: String, hint: String) {
        self.code = code
        self.message = message
        self.hint = hint
    }
}

extension AuditError {
    static let stalled = AuditError(
        .notWritten, "the disk of the audit log has not answered for ten seconds", hint: "have the disk examined")
    static let logClosed = AuditError(.closed, "the audit log is closed", hint: "the agent is shutting down")
}
