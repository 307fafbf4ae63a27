/// Why a call to etcd gave no answer that can be used. Equal by code.
public struct EtcdError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Why, from an open set.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// A file or an endpoint of the configuration cannot be used.
        public static let misconfigured = Code(rawValue: "misconfigured")
        /// No member has answered; nothing was changed.
        public static let unreachable = Code(rawValue: "unreachable")
        /// A change was sent, and no answer says what became of it.
        public static let undecided = Code(rawValue: "undecided")
        /// A member belongs to another cluster than the one that answered before.
        public static let otherCluster = Code(rawValue: "other-cluster")
        /// The member does not offer its JSON gateway.
        public static let gatewayOff = Code(rawValue: "gateway-off")
        /// The member's release cannot do what is needed.
        public static let tooOld = Code(rawValue: "too-old")
        /// A user is configured, and the cluster has no authentication.
        public static let authenticationOff = Code(rawValue: "authentication-off")
        /// The cluster asks for a user, and none is configured.
        public static let authenticationRequired = Code(rawValue: "authentication-required")
        /// The cluster does not know the user by this password.
        public static let credentialsRefused = Code(rawValue: "credentials-refused")
        /// The user may not do this.
        public static let permissionDenied = Code(rawValue: "permission-denied")
        /// The client certificate has a CommonName, which the gateway refuses with authentication on.
        public static let commonName = Code(rawValue: "common-name")
        /// TLS did not come about, for the certificate of either side.
        public static let certificateRefused = Code(rawValue: "certificate-refused")
        /// The cluster's quota is used up: it can be read and not changed.
        public static let noSpace = Code(rawValue: "no-space")
        /// The cluster has too much to do, or the answer would be too large for it.
        public static let overloaded = Code(rawValue: "overloaded")
        /// The revision asked for is not kept any more.
        public static let compacted = Code(rawValue: "compacted")
        /// The revision asked for does not exist yet: the cluster is younger than what it said before.
        public static let futureRevision = Code(rawValue: "future-revision")
        /// The lease has expired or was revoked.
        public static let leaseGone = Code(rawValue: "lease-gone")
        /// The watch has ended, for whatever reason: what happened since has to be read.
        public static let watchEnded = Code(rawValue: "watch-ended")
        /// Etcd does not take the request.
        public static let refused = Code(rawValue: "refused")
        /// What came is not what etcd sends.
        public static let unreadable = Code(rawValue: "unreadable")
        /// The caller has been cancelled, or the gateway closed.
        public static let cancelled = Code(rawValue: "cancelled")
    }

    public let code: Code
    /// What happened, in one line, naming the endpoint.
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

    public static func == (left: EtcdError, right: EtcdError) -> Bool {
        left.code == right.code
    }

    public var description: String { message }

    static let cancellation = EtcdError(
        .cancelled, "the call to etcd was given up by this side", hint: "nothing; this happens when the agent ends")
}
