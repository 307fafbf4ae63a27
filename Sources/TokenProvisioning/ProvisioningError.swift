public import Platform

/// A token could not be listed, initialised or given a PIN.
///
/// Two errors are equal when their codes are. `message` says in one line what happened, `hint` in one line what to do.
/// Neither ever holds a PIN.
public struct ProvisioningError: CodedError {
    /// What went wrong, for programs.
    public let code: Code

    /// The function of libp11 that failed, such as `PKCS11_login`; nil when none did.
    public let function: String?

    /// What happened, for people.
    public let message: String

    /// What to do about it, for people; nil where there is nothing general to say.
    public let hint: String?

    init(_ code: Code, function: String? = nil, _ message: String, hint: String? = nil) {
        self.code = code
        self.function = function
        self.message = message
        self.hint = hint
    }
}

extension ProvisioningError {
    /// What went wrong. The set is open.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The module cannot be loaded or initialised.
        public static let moduleNotLoaded = Code(rawValue: "MODULE_NOT_LOADED")
        /// There is no such slot or token, or no free slot.
        public static let tokenNotFound = Code(rawValue: "TOKEN_NOT_FOUND")
        /// More than one token has the label.
        public static let tokenAmbiguous = Code(rawValue: "TOKEN_AMBIGUOUS")
        /// The token is initialised already, or there is one of that label.
        public static let tokenInitialized = Code(rawValue: "TOKEN_INITIALIZED")
        /// The label is empty, too long or not printable.
        public static let labelInvalid = Code(rawValue: "LABEL_INVALID")
        /// The PIN is empty or holds a zero byte.
        public static let pinUnusable = Code(rawValue: "PIN_UNUSABLE")
        /// The token refused the PIN: `CKR_PIN_INCORRECT`.
        public static let pinIncorrect = Code(rawValue: "CKR_PIN_INCORRECT")
        /// The token refused the new PIN: `CKR_PIN_INVALID`.
        public static let pinInvalid = Code(rawValue: "CKR_PIN_INVALID")
        /// The token refused the PIN's length: `CKR_PIN_LEN_RANGE`.
        public static let pinLengthRange = Code(rawValue: "CKR_PIN_LEN_RANGE")
        /// The PIN is locked: `CKR_PIN_LOCKED`.
        public static let pinLocked = Code(rawValue: "CKR_PIN_LOCKED")
        /// libp11 failed for a reason of its own, or of the token's that has no name here; the message says which.
        public static let libraryFailure = Code(rawValue: "LIBRARY_FAILURE")
    }
}
