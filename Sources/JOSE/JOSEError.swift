/// What JOSE refuses: key material, an encoding or a JWS it will not take.
///
/// Equal by ``code`` alone, so that a test or a caller compares with what happened and not with how it was put.
public struct JOSEError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of refusal; open, so that a later kind breaks no `switch`.
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        /// The code as text.
        public let rawValue: String

        /// Any code, known here or not.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The code as it is written in logs.
        public var description: String { rawValue }

        /// Text that is not canonical, unpadded base64url (RFC 4648 §5, RFC 7515 §2).
        public static let base64URLInvalid = Code(rawValue: "base64url-invalid")
        /// An RSA modulus or exponent, or an EC point, that is no key this package may use.
        public static let keyInvalid = Code(rawValue: "key-invalid")
        /// Bytes that are not the DER encoding of a SubjectPublicKeyInfo.
        public static let subjectPublicKeyInfoInvalid = Code(rawValue: "subject-public-key-info-invalid")
        /// A well-formed SubjectPublicKeyInfo of a key type or curve not supported here.
        public static let keyTypeUnsupported = Code(rawValue: "key-type-unsupported")
        /// An algorithm asked of a key of another type.
        public static let algorithmMismatch = Code(rawValue: "algorithm-mismatch")
        /// Text that is not a JWS in compact serialization (RFC 7515 §7.1).
        public static let compactJWSInvalid = Code(rawValue: "compact-jws-invalid")
    }

    /// What kind of refusal it is.
    public let code: Code
    /// What was wrong, in one line; never a payload or a JWT.
    public let message: String
    /// What the crypto library said, where it said anything.
    public let cause: (any Error)?

    /// An error of one kind.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message with the cause after it.
    public var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }

    /// Whether both are of the same kind.
    public static func == (lhs: JOSEError, rhs: JOSEError) -> Bool {
        lhs.code == rhs.code
    }
}
