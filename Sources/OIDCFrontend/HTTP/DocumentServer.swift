import HummingbirdCore
import HummingbirdTLS
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// The HTTP listener: with a certificate it terminates TLS itself, without one it is for loopback, or behind a proxy that does.
///
/// What connections may cost is said by their limits; see ``ConnectionLimits``. Connections that cannot be accepted, such as for
/// want of descriptors, wait until they can.
public struct DocumentServer: Service {
    private let responder: DocumentResponder
    private let host: String
    private let port: Int
    private let certificate: LiveCertificate?
    private let limits: ConnectionLimits
    private let uptime: @Sendable () -> Int64
    private let pause: Pause
    private let name: String
    private let listening: @Sendable (Int) -> Void
    private let logger: Logger

    /// Port 0 takes any free one. `uptime` counts nanoseconds and never goes back. `listening` gets the port once connections are
    /// accepted; `name` begins the line that the log has of it.
    public init(
        responder: DocumentResponder, host: String, port: Int, certificate: LiveCertificate? = nil,
        limits: ConnectionLimits = ConnectionLimits(), uptime: @escaping @Sendable () -> Int64,
        pause: Pause = .realTime, logger: Logger, name: String = "listening",
        listening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.responder = responder
        self.host = host
        self.port = port
        self.certificate = certificate
        self.limits = limits
        self.uptime = uptime
        self.pause = pause
        self.name = name
        self.logger = logger
        self.listening = listening
    }

    /// Serves until graceful shutdown, then ends what is being answered. Throws `cannotListen` when the address is taken.
    public func run() async throws {
        let connections = Connections(limits, uptime: uptime)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Only cancellation ends a pause early.
                while (try? await pause(.connections, .seconds(1))) != nil { connections.closeOverdue() }
            }
            defer { group.cancelAll() }
            try await serve(connections)
        }
    }

    private func serve(_ connections: Connections) async throws {
        let scheme = certificate == nil ? "http" : "https"
        let server = try childChannel(connections).server(
            configuration: ServerConfiguration(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: MaximumAvailableConnections(limits.total + ConnectionLimits.margin)),
            onServerRunning: { [logger, scheme, host, port, name, listening] channel in
                let isReady = channel.eventLoop.submit {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: logger), position: .first)
                }
                // Fails on a listener that is closed already, and then nobody is to hear of it.
                guard (try? await isReady.get()) != nil else { return }
                let bound = channel.localAddress?.port ?? port
                logger.info("\(name) on \(scheme)://\(authority(host: host, port: bound))")
                listening(bound)
            },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: quieted(logger))
        do {
            try await server.run()
        } catch let error as IOError {
            throw FrontendError.cannotListen(host: host, port: port, error)
        } catch let error as SocketAddressError.UnknownHost {
            throw FrontendError.cannotListen(host: host, port: port, error)
        }
    }

    private func childChannel(_ connections: Connections) throws -> any ServerChildChannel {
        let plain = DocumentChannel(responder: responder, connections: connections)
        guard let certificate else { return plain }
        return try TLSChannel(plain, tlsConfiguration: certificate.configuration)
    }

    /// Returns once every event loop that serves HTTP in this process has come round; never while one of them hangs.
    public static func heartbeat() async throws {
        for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() { try await loop.submit {}.get() }
    }
}

/// The server's own start and stop are logged here already.
private func quieted(_ logger: Logger) -> Logger {
    var logger = logger
    if logger.logLevel == .info { logger.logLevel = .notice }
    return logger
}

/// Host and port as they stand in a URL (RFC 3986 §3.2).
private func authority(host: String, port: Int) -> String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
}
