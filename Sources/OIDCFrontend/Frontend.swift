import AgentProtocol
public import Logging
public import Platform
public import ServiceLifecycle

/// What the frontend is told by its configuration.
public struct FrontendSettings: Sendable, Equatable {
    /// The address or name to listen on.
    public var host: String
    /// 0 for any free one.
    public var port: Int
    /// Directory of the last known documents.
    public var cacheDirectory: String
    /// Seconds without a word that counts after which `/readyz` turns unready; where nil, an hour, and two minutes once an agent says that
    /// it shares its store.
    public var staleAfter: Int64?
    /// Plain HTTP without.
    public var tls: TLSFiles?
    /// What connections may cost.
    public var limits: ConnectionLimits
    /// Where health is asked for with room of its own, over plain HTTP; nowhere without.
    public var admin: AdminAddress?
    /// Directories in which others could put files by their mode, and do not.
    public var trusted: TrustedDirectories

    /// An address and a port; 0 for any free one.
    public struct AdminAddress: Sendable, Equatable {
        public var host: String
        public var port: Int

        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// Settings, each as its property says.
    public init(
        host: String, port: Int, cacheDirectory: String, staleAfter: Int64? = nil, tls: TLSFiles? = nil,
        limits: ConnectionLimits = ConnectionLimits(), admin: AdminAddress? = nil, trusting trusted: TrustedDirectories = .none
    ) {
        self.host = host
        self.port = port
        self.cacheDirectory = cacheDirectory
        self.staleAfter = staleAfter
        self.tls = tls
        self.limits = limits
        self.admin = admin
        self.trusted = trusted
    }
}

/// The whole frontend: follows the agents, serves what they say over HTTP and keeps it on disk.
public struct Frontend: Sendable {
    /// To be started in this order and stopped in the opposite one: the listener first, the cache last.
    public let services: [any Service]
    private let keeper: CertificateKeeper?
    private let logger: Logger
    private let publication: LivePublication

    /// Loads the certificate and the cache. `agents` are those to follow, at least one. `clock` is the wall clock, `uptime` counts nanoseconds and never goes back; `metrics` renders a reading for the admin listener, in
    /// Prometheus text format; `listening` gets the port once connections are accepted,
    /// and `adminListening` that of the admin listener. Throws `tooFewDescriptors`; `certificateUnusable` or `certificateNotValid`;
    /// and `cacheUnusable` when the cache directory cannot be written to, or others can.
    public init(
        _ settings: FrontendSettings, agents: [any DiscoverySource], clock: @escaping @Sendable () -> Moment,
        uptime: @escaping @Sendable () -> Int64, descriptors: DescriptorLimit = .current, logger: Logger,
        listening: @escaping @Sendable (Int) -> Void = { _ in },
        adminListening: @escaping @Sendable (Int) -> Void = { _ in },
        metrics: (@Sendable (FrontendReading) -> String)? = nil
    ) throws(FrontendError) {
        let limits = try settings.limits.fitting(descriptors)
        if let warning = settings.limits.warning(descriptors) {
            logger.warning("\(warning.message)", metadata: ["hint": "\(warning.hint)"])
        }
        if let tls = settings.tls {
            keeper = try CertificateKeeper(tls, clock: clock, logger: logger)
        } else {
            keeper = nil
        }
        self.logger = logger
        let cache = DocumentCache(directory: settings.cacheDirectory, trusting: settings.trusted)
        try cache.checkWritable()
        let known = cache.load(logger: logger)
        if !known.results.isEmpty {
            logger.info(
                "serving the documents kept on disk until the agent answers",
                metadata: ["issuers": "\(known.results.count)", "confirmedAt": "\(known.confirmedAt?.text ?? "never")"])
        }
        let publication = LivePublication(
            known, agents: agents.map(\.name), staleAfter: settings.staleAfter, clock: clock, uptime: uptime)
        self.publication = publication
        let certificate = keeper?.certificate
        let notice: @Sendable () -> String? = { certificate?.notice }
        var render: (@Sendable () -> String)?
        if let metrics { render = { metrics(FrontendReading(publication, certificate)) } }
        let admin = settings.admin.map { admin in
            DocumentServer(
                responder: DocumentResponder(
                    publication: publication, servesDocuments: false, notice: notice, metrics: render),
                host: admin.host, port: admin.port, limits: .admin, uptime: uptime, logger: logger, name: "admin listening",
                listening: adminListening)
        }
        let writer = CacheWriter(cache: cache, loaded: known, publication: publication, logger: logger)
        let followers = agents.enumerated().map { place, source in
            AgentFollower(
                source: source, publication: publication, agent: place, acceptance: { cache.acceptance(logger: logger) },
                logger: logger)
        }
        let server = DocumentServer(
            responder: DocumentResponder(publication: publication, notice: notice), host: settings.host, port: settings.port,
            certificate: keeper?.certificate, limits: limits, uptime: uptime, logger: logger, listening: listening)
        var services: [any Service] = []
        if let keeper { services.append(keeper) }
        if let admin { services.append(admin) }
        self.services = services + [writer] + followers + [server]
    }

    /// What the frontend does, and what is wrong, in one line for whoever looks at the service.
    public var summary: String {
        let readiness = publication.readiness
        let count = publication.current.results.count
        let serving = count == 1 ? "serving the documents of 1 issuer" : "serving the documents of \(count) issuers"
        return [serving, readiness == .ready ? nil : "not ready: \(readiness.reason)", keeper?.certificate.notice]
            .compactMap(\.self).joined(separator: "; ")
    }

    /// Takes a renewed certificate; nothing else of what the frontend was told counts before a restart.
    public func reload() async {
        guard let keeper else { return logger.info("there is no TLS certificate to read again") }
        await keeper.reload()
    }
}
