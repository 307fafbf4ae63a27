public import Platform

/// Why a relying party does not accept a JWT, or could not get the keys to judge it by.
///
/// Equal by ``code`` alone. Neither text ever holds a JWT or its payload; claims that were compared are named.
public struct VerificationError: CodedError {
    /// The kind of failure; open, so that a later kind breaks no `switch`.
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        /// The code as text.
        public let rawValue: String

        /// Any code, known here or not.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The code as it is printed.
        public var description: String { rawValue }

        /// The text is no JWT: its parts, its header or its claims cannot be read.
        public static let malformed = Code(rawValue: "malformed")
        /// No published key that can be used here has the JWT's `kid`.
        public static let unknownKid = Code(rawValue: "unknown-kid")
        /// The JWT's `alg` is not the one its key is published for.
        public static let algorithmMismatch = Code(rawValue: "algorithm-mismatch")
        /// The signature is not the key's.
        public static let signatureInvalid = Code(rawValue: "signature-invalid")
        /// `exp` has passed.
        public static let expired = Code(rawValue: "expired")
        /// `nbf` has not come yet.
        public static let notYetValid = Code(rawValue: "not-yet-valid")
        /// `iss` is not the expected issuer.
        public static let issuerMismatch = Code(rawValue: "issuer-mismatch")
        /// `aud` does not hold the expected audience.
        public static let audienceMismatch = Code(rawValue: "audience-mismatch")
        /// The key set is not a JSON Web Key Set, or the key asked for cannot be used.
        public static let keySetInvalid = Code(rawValue: "key-set-invalid")

        /// The issuer URL given is not one.
        public static let issuerURLInvalid = Code(rawValue: "issuer-url-invalid")
        /// A document's server cannot be reached, or did not answer in time.
        public static let unreachable = Code(rawValue: "unreachable")
        /// A server's certificate is not accepted: expired, for another name, or of an authority that does not count.
        public static let certificateUntrusted = Code(rawValue: "certificate-untrusted")
        /// The certificates of the authorities that are to count cannot be read.
        public static let authoritiesUnusable = Code(rawValue: "authorities-unusable")
        /// The proxy that the environment names cannot be used.
        public static let proxyInvalid = Code(rawValue: "proxy-invalid")
        /// A document's server answered with another status than 200.
        public static let httpStatus = Code(rawValue: "http-status")
        /// A document is larger than is taken.
        public static let documentTooLarge = Code(rawValue: "document-too-large")
        /// A document is not what its URL promises.
        public static let documentInvalid = Code(rawValue: "document-invalid")
        /// The discovery document names another issuer than the one asked.
        public static let discoveryIssuerMismatch = Code(rawValue: "discovery-issuer-mismatch")
    }

    /// What kind of failure it is.
    public let code: Code
    /// What happened, in one line.
    public let message: String
    /// What to do about it, in one line.
    public let hint: String
    /// What the network, the JSON parser or the crypto library said, where it said anything.
    public let cause: (any Error)?

    /// A failure of one kind.
    public init(_ code: Code, _ message: String, hint: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.cause = cause
    }
}
