import PKCS11
public import Platform

/// Why the HSM did not do what it was asked. Equal by code.
public struct HSMError: CodedError {
    /// Why, from an open set.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The token cannot be used just now.
        public static let unavailable = Code(rawValue: "unavailable")
        /// The queue of signatures is full.
        public static let busy = Code(rawValue: "busy")
        /// The request waited longer than it may.
        public static let deadlineExceeded = Code(rawValue: "deadline-exceeded")
        /// The token does not show this one key, or not as what it is.
        public static let keyUnavailable = Code(rawValue: "key-unavailable")
        /// The token made a signature with a key that does not verify.
        public static let signatureFaulty = Code(rawValue: "signature-faulty")
        /// A call into the module never returned, and the agent cannot go on beside it.
        public static let stuck = Code(rawValue: "stuck")
        /// A generated key is not held as the custody rules want it.
        public static let custodyRefused = Code(rawValue: "custody-refused")
        /// The token lacks the mechanism.
        public static let unsupported = Code(rawValue: "unsupported")
        /// The store has not confirmed for too long that a key may be used.
        public static let unconfirmed = Code(rawValue: "unconfirmed")
        /// The agent takes no more requests.
        public static let shuttingDown = Code(rawValue: "shutting-down")
        /// The token refused the PIN, now or earlier.
        public static let pinRefused = Code(rawValue: "pin-refused")
    }

    public let code: Code
    /// What happened, in one line.
    public let message: String
    /// What to do, in one line.
    public let hint: String
    public let cause: (any Error)?

    public init(_ code: Code, _ message: String, hint: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.cause = cause
    }
}

extension HSMError {
    /// What a Cryptoki call failed with, by the return value.
    ///
    /// - Parameter todo: the hint where the return value has none of its own.
    init(_ error: PKCS11Error, todo: String = "check the token, then try again") {
        let lacking: Set<ReturnValue> = [.mechanismInvalid, .mechanismParamInvalid, .curveNotSupported, .functionNotSupported]
        let code: Code =
            switch error.returnValue {
            case let value? where lacking.contains(value): .unsupported
            case _ where error.isPINRefusal: .pinRefused
            default: .unavailable
            }
        self.init(code, "\(error)", hint: error.hint ?? todo, cause: error)
    }

    /// After these the same PIN is never sent again.
    static let pinRefusals: Set<ReturnValue> = [
        .pinIncorrect, .pinInvalid, .pinLenRange, .pinLocked, .pinExpired, .userPINNotInitialized, .userAnotherAlreadyLoggedIn,
    ]
}

extension PKCS11Error {
    /// Whether a key is not there, or not there once: both mean that it cannot be used.
    var isAbsence: Bool {
        code == .objectNotFound || code == .objectNotUnique
    }
}
