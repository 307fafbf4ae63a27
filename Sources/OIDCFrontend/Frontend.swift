import AgentProtocol
public import Logging
public import ServiceLifecycle

/// What the frontend is told by its configuration.
public struct FrontendSettings: Sendable, Equatable {
    /// The address or name to listen on.
    public var host: String
    /// 0 for any free one.
    public var port: Int
    /// Directory of the last known documents.
    public var cacheDirectory: String
    /// Seconds without a word from the agent after which `/readyz` turns unready.
    public var staleAfter: Int64

    /// Settings, each as its property says.
    public init(host: String, port: Int, cacheDirectory: String, staleAfter: Int64) {
        self.host = host
        self.port = port
        self.cacheDirectory = cacheDirectory
        self.staleAfter = staleAfter
    }
}

/// The whole frontend: follows the agent, serves what it says over HTTP and keeps it on disk.
public struct Frontend: Sendable {
    /// To be started in this order and stopped in the opposite one: the listener first, the cache last.
    public let services: [any Service]

    /// Loads the cache. `clock` is the wall clock; `listening` gets the port once connections are accepted. Throws
    /// `cacheUnusable` when the cache directory cannot be written to.
    public init(
        _ settings: FrontendSettings, source: any DiscoverySource, clock: @escaping @Sendable () -> Moment, logger: Logger,
        listening: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws(FrontendError) {
        let cache = DocumentCache(directory: settings.cacheDirectory)
        try cache.checkWritable()
        let known = cache.load(logger: logger)
        if !known.results.isEmpty {
            logger.info(
                "serving the documents kept on disk until the agent answers",
                metadata: ["issuers": "\(known.results.count)", "confirmedAt": "\(known.confirmedAt?.text ?? "never")"])
        }
        let publication = LivePublication(known, clock: clock)
        services = [
            CacheWriter(cache: cache, loaded: known, publication: publication, logger: logger),
            AgentFollower(source: source, publication: publication, logger: logger),
            DocumentServer(
                responder: DocumentResponder(publication: publication, staleAfter: settings.staleAfter),
                host: settings.host, port: settings.port, logger: logger, listening: listening),
        ]
    }
}
