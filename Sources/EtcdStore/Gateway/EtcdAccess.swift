/// How an etcd cluster is reached and who asks.
public struct EtcdAccess: Sendable {
    /// In the order in which they are tried.
    public var endpoints: [EtcdEndpoint]
    /// A file with the certificates of the authorities that count for the members, PEM; `nil` for the machine's.
    public var authority: String?
    /// What this side shows of itself.
    public var certificate: ClientCertificate?
    public var user: User?
    public var limits = Limits()

    /// A certificate for mutual TLS. With authentication on it must have no CommonName: etcd would take that for the user, and
    /// its JSON gateway refuses such requests.
    public struct ClientCertificate: Sendable {
        /// The chain, PEM.
        public var certificate: String
        /// The private key, PEM, which nobody else may read.
        public var key: String

        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    public struct User: Sendable {
        public var name: String
        /// Read at each sign-in, so that it can be changed without a restart.
        public var passwordFile: String

        public init(name: String, passwordFile: String) {
            self.name = name
            self.passwordFile = passwordFile
        }
    }

    public struct Limits: Sendable {
        /// How long a connection may take to come about.
        public var connect: Duration = .seconds(1)
        /// How long one member may take for its whole answer before the next one is asked.
        public var attempt: Duration = .seconds(2)
        /// How long a call may take, all members and a sign-in included.
        public var call: Duration = .seconds(5)
        /// How long a watch may be silent before it is taken for dead.
        public var watchIdle: Duration = .seconds(60)
        /// The most bytes of one answer.
        public var answer = 32 << 20
        /// The most bytes of one line of a watch.
        public var watchLine = 8 << 20

        public init() {}
    }

    public init(
        endpoints: [EtcdEndpoint], authority: String? = nil, certificate: ClientCertificate? = nil, user: User? = nil
    ) {
        self.endpoints = endpoints
        self.authority = authority
        self.certificate = certificate
        self.user = user
    }
}
