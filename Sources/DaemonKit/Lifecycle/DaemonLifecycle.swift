public import Logging
public import Platform
public import ServiceLifecycle
import UnixSignals

/// The life of a daemon: runs its services, tells the service manager how far it is, and ends them in order.
///
/// SIGTERM and SIGINT begin a graceful shutdown: services are told in reverse order, each after the next has ended, and
/// cancelled when `shutdownLimit` is over. A service that fails ends the others gracefully too, and its error is thrown.
public struct DaemonLifecycle: Sendable {
    private let services: [any Service]
    private let notification: ServiceNotification
    private let shutdownLimit: Duration
    private let logger: Logger
    private let watchdogLimit: Duration?
    private let ready: @Sendable () async throws -> Void
    private let alive: @Sendable () async throws -> Void
    private let reload: (@Sendable () async -> Void)?
    private let status: @Sendable () async -> String?

    /// `services` start together.
    ///
    /// `ready` returns once the daemon can be used; only then is the manager told so. When it throws, the daemon ends with that
    /// error.
    ///
    /// `alive` returns once everything in the daemon that must go on has gone on since it was called, and only then, twice in
    /// `watchdogLimit`, does the manager get a sign of life; without a limit it is never called. `reload` runs at each SIGHUP, one after the other; without it SIGHUP keeps its default action and ends the process.
    ///
    /// `status` says in one line what the daemon does, for who looks at the service; the manager hears of it once the daemon is
    /// ready, after each reload, and within seconds of a change.
    public init(
        services: [any Service],
        logger: Logger,
        notification: ServiceNotification = ServiceNotification(),
        shutdownLimit: Duration = .seconds(20),
        watchdogLimit: Duration? = ServiceNotification.watchdogLimit(),
        ready: @escaping @Sendable () async throws -> Void = {},
        alive: @escaping @Sendable () async throws -> Void = {},
        reload: (@Sendable () async -> Void)? = nil,
        status: @escaping @Sendable () async -> String? = { nil }
    ) {
        self.services = services
        self.logger = logger
        self.notification = notification
        self.shutdownLimit = shutdownLimit
        self.watchdogLimit = watchdogLimit
        self.ready = ready
        self.alive = alive
        self.reload = reload
        self.status = status
    }

    /// Runs until a signal, a failing service or cancellation of the task ends it.
    public func run() async throws {
        BrokenPipes.ignore()
        var all: [any Service] = services.map { SupervisedService(service: $0) }
        let report = StatusReport(notification: notification, text: status)
        if let reload {
            all.append(ReloadService(notification: notification, logger: logger, report: report, reload: reload))
        }
        // Shut down first, so that the manager hears of it before the services begin.
        let signs = SignsOfLife(notification: notification, limit: watchdogLimit, alive: alive)
        all.append(ReadinessService(notification: notification, logger: logger, ready: ready, signs: signs, report: report))
        var configuration = ServiceGroupConfiguration(
            services: all.map {
                .init(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger)
        configuration.maximumGracefulShutdownDuration = shutdownLimit
        try await ServiceGroup(configuration: configuration).run()
    }
}

/// A service returned although nobody had asked it to end; the daemon cannot go on without it.
public struct ServiceEndedEarly: Error, Sendable, Equatable, CustomStringConvertible {
    /// The type of the service.
    public let service: String

    /// Names the service.
    public init(service: String) {
        self.service = service
    }

    /// Names the service.
    public var description: String { "\(service) ended by itself" }
}

/// Makes an early return of a service an error, so that the process does not end with status 0.
struct SupervisedService: Service, CustomStringConvertible {
    let service: any Service

    var description: String { "\(type(of: service))" }

    func run() async throws {
        let isStopping = Locked(false)
        try await withGracefulShutdownHandler {
            try await service.run()
        } onGracefulShutdown: {
            isStopping.withLock { $0 = true }
        }
        guard isStopping.withLock({ $0 }) || Task.isCancelled else { throw ServiceEndedEarly(service: description) }
    }
}

/// Tells the service manager when the daemon is ready and when it stops.
struct ReadinessService: Service {
    let notification: ServiceNotification
    let logger: Logger
    let ready: @Sendable () async throws -> Void
    let signs: SignsOfLife
    let report: StatusReport

    func run() async throws {
        let isReady = try await cancelWhenGracefulShutdown {
            do {
                try await ready()
                return true
            } catch is CancellationError {
                return false
            }
        }
        if isReady {
            notification.ready()
            logger.debug("ready")
            await cancelWhenGracefulShutdown {
                async let reporting: Void = report.sendChanges()
                await signs.send()
                await reporting
            }
        }
        notification.stopping()
        notification.status("stopping: answers what is under way")
        logger.debug("stopping")
    }
}

/// Runs the reload at each SIGHUP.
struct ReloadService: Service {
    let notification: ServiceNotification
    let logger: Logger
    let report: StatusReport
    let reload: @Sendable () async -> Void

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            logger.info("reloading")
            notification.reloading()
            await reload()
            notification.ready()
            await report.send()
        }
    }
}
