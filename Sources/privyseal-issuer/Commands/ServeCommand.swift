import ArgumentParser
import DaemonKit
import Foundation
import Logging
import OIDCFrontend
import Platform

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve until SIGTERM or SIGINT.",
        discussion: """
            Logs to standard error, and once it accepts connections a line with `listening on http://HOST:PORT`, or \
            `https`. Starts \
            without the agent too, serving what it last knew. The configuration file:

              agent: /run/privyseal/agent.sock      # or agents: [SOCKET, SOCKET]
              listen: { host: 127.0.0.1, port: 8080 }
              cache: /var/lib/privyseal-issuer
              staleAfter: 1h                        # optional
              tls:                                  # optional
                certificate: /etc/privyseal/tls/fullchain.pem
                key: /etc/privyseal/tls/key.pem
              limits: { connections: 1024, connectionsPerAddress: 64, idle: 75s }   # optional; these are the defaults
              trustedProxies: [127.0.0.0/8, "::1"]  # optional; this is the default
              admin: { host: 127.0.0.1, port: 8081 }  # optional
              trustedDirectories: [/var/cache/privyseal-issuer]   # optional; in containers
              log: { level: info, format: text }    # optional

            agent is the agent's socket; agents are those of several agents that share a store, up to 16. Of an issuer, the highest \
            generation is served that any of them has said. listen takes any free port for 0; it is plain HTTP without \
            tls. cache is a writable directory for \
            the last known documents. staleAfter is the age of the agent's last word from which /readyz is unready: 1h unless given, and 2m where agents share \
            a store, for what that has confirmed; no document may then be kept for longer than what is left of it. A log \
            level is one of trace, debug, info, notice, warning, error, critical, a format one of text, json.

            certificate has the server's own certificate first and then its chain, key is its private key without a \
            passphrase, which nobody else may read; both are PEM. A renewed certificate counts within a minute, and at once at \
            SIGHUP; one that cannot be used leaves the old one in force.

            Who connects is always let in: at limits.connections in place of the connection that has been idle longest, and an \
            address that has connectionsPerAddress in place of one of its own; with IPv6 a /64 counts as an address. trustedProxies, \
            whose clients all come from one address, are not counted so. A request has to be there within 10 s, and a \
            connection without one is closed after limits.idle. admin is a listener on loopback, in plain HTTP, with room of its own for /healthz, \
            /readyz and /metrics.

            trustedDirectories names volumes of a container, in which others could write by their mode and which none \
            of them reaches: they, and the files that lie right in them, are not refused for their mode.

            A key that is not among these is refused.
            """)

    @OptionGroup var file: ConfigurationOption

    func run() async throws {
        let hasServed = Locked(false)
        do {
            try await serve { hasServed.withLock { $0 = true } }
        } catch let failure as StartupFailure {
            guard !hasServed.withLock({ $0 }), ServiceNotification().isListening else { throw failure }
            failure.report()
            await StartPace.linger()
            Foundation.exit(failure.exitCode)
        }
    }

    private func serve(_ serves: @escaping @Sendable () -> Void) async throws {
        ServiceNotification().status("starting")
        let configuration = try file.load()
        let log = DaemonLog(configuration.log ?? LogConfiguration(), clock: WallClock.now)
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        do {
            let logger = log.logger(label: "privyseal-issuer")
            for remark in configuration.remarks { remark.log(to: logger) }
            let frontend = try Frontend(
                configuration.settings,
                agents: configuration.sockets.map {
                    AgentSource(socketPath: $0, staleAfter: configuration.settings.staleAfter)
                },
                clock: WallClock.moment, uptime: MonotonicClock.nanoseconds, logger: logger,
                listening: { port in
                    serves()
                    listening.yield(port)
                }, metrics: FrontendMetrics().text)
            let lifecycle = DaemonLifecycle(
                services: frontend.services, logger: log.logger(label: "lifecycle"),
                ready: {
                    guard await ports.first(where: { _ in true }) != nil else { throw CancellationError() }
                },
                alive: { try await DocumentServer.heartbeat() },
                reload: { await frontend.reload() }, status: { frontend.summary })
            try await lifecycle.run()
        } catch let error as FrontendError {
            throw StartupFailure(what: error.message, todo: error.hint)
        }
    }
}

extension WallClock {
    /// The moment it shows.
    static func moment() -> Moment {
        let (seconds, nanoseconds) = now()
        return Moment(seconds: seconds, nanoseconds: nanoseconds)
    }
}
