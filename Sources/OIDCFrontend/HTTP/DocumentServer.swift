import HummingbirdCore
import HummingbirdTLS
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// The HTTP listener: with a certificate it terminates TLS itself, without one it is for loopback, or behind a proxy that does.
///
/// Connections that stay idle for a minute are closed, and at most 512 are open at a time, further ones waiting to be
/// accepted: the descriptors of a process are few by default.
public struct DocumentServer: Service {
    private let responder: DocumentResponder
    private let host: String
    private let port: Int
    private let certificate: LiveCertificate?
    private let listening: @Sendable (Int) -> Void
    private let logger: Logger

    /// Port 0 takes any free one. `listening` gets the port once connections are accepted.
    public init(
        responder: DocumentResponder, host: String, port: Int, certificate: LiveCertificate? = nil, logger: Logger,
        listening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.responder = responder
        self.host = host
        self.port = port
        self.certificate = certificate
        self.logger = logger
        self.listening = listening
    }

    /// Serves until graceful shutdown, then ends what is being answered. Throws `cannotListen` when the address is taken.
    public func run() async throws {
        let scheme = certificate == nil ? "http" : "https"
        let server = try childChannel.server(
            configuration: ServerConfiguration(
                address: .hostname(host, port: port), availableConnectionsDelegate: MaximumAvailableConnections(512)),
            onServerRunning: { [logger, scheme, host, port, listening] channel in
                let bound = channel.localAddress?.port ?? port
                logger.info("listening on \(scheme)://\(authority(host: host, port: bound))")
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
}

extension DocumentServer {
    private var childChannel: any ServerChildChannel {
        get throws {
            let plain = DocumentChannel(responder: responder)
            guard let certificate else { return plain }
            return try TLSChannel(plain, tlsConfiguration: certificate.configuration)
        }
    }

    /// Returns once every event loop that serves HTTP in this process has come round; never while one of them hangs.
    public static func goneOn() async throws {
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
