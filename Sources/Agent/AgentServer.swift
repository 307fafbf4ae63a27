import AgentProtocol
import Foundation
public import IssuerStore
import KeyLifecycle
public import Logging
import PKCS11
public import Platform
public import ServiceLifecycle

/// What an agent needs to run.
public struct AgentConfiguration: Sendable {
    public var socket: UnixSocketPath
    /// The socket that the service manager has made; `nil` when the agent makes its own.
    public var activated: ActivatedSocket?
    /// Permission bits of the socket file.
    public var socketMode: UInt32
    /// Group of the socket file; that of the process when `nil`.
    public var socketGroup: UInt32?
    public var hsm: HSMConfiguration
    public var pin: PINSource
    /// The origin under which documents are served, without a trailing slash.
    public var publicBaseURL: String
    public var access: AccessPolicy
    public var limits = ConnectionLimits()
    public var audit: AuditConfiguration
    /// How long changes wait for the frontends at most.
    var feed = ChangeFeed.Limits()

    public init(
        socket: UnixSocketPath, activated: ActivatedSocket? = nil, socketMode: UInt32, socketGroup: UInt32?,
        hsm: HSMConfiguration, pin: PINSource,
        publicBaseURL: String, access: AccessPolicy, audit: AuditConfiguration
    ) {
        self.audit = audit
        self.socket = socket
        self.activated = activated
        self.socketMode = socketMode
        self.socketGroup = socketGroup
        self.hsm = hsm
        self.pin = pin
        self.publicBaseURL = publicBaseURL
        self.access = access
    }

    /// The path of the socket that is served.
    public var servedSocket: UnixSocketPath { activated?.path ?? socket }
}

/// What the process around an agent does for it.
public struct AgentEnvironment: Sendable {
    public var clock: AgentClock
    public var log: Logger
    /// The metrics of the process in Prometheus text format.
    public var metrics: @Sendable () -> String
    /// Reads the configuration again. Errors should be `ProtocolError`.
    public var reload: @Sendable () async throws -> ReloadedConfiguration

    public init(
        clock: AgentClock, log: Logger, metrics: @escaping @Sendable () -> String,
        reload: @escaping @Sendable () async throws -> ReloadedConfiguration
    ) {
        self.clock = clock
        self.log = log
        self.metrics = metrics
        self.reload = reload
    }
}

/// A running agent: token, store, audit log and socket put together.
public final class AgentServer: Service {
    let hsm: HSM
    let gate: Gate
    let registry: IssuerRegistry
    let audit: AuditLog
    let listener: Listener
    private let store: any IssuerStorage
    private let pin: PINSource
    /// The state of the PIN's source when it was last tried.
    private let triedPIN: Locked<String>
    /// Whether the store remembers a refusal that happened while the agent ran.
    private let isRefusalNoted = Locked(false)
    private let clock: AgentClock
    private let log: Logger
    private let startGate: StartGate
    /// Requests that are carried out.
    private let underWay: InFlightCounter
    /// Looks once a second whether the audit log's disk answers: from the beginning, and to the end.
    private let auditWatch: Task<Void, Never>
    private let reloader: Reloader
    private let health: ReportHealth

    /// Heartbeat of looking at time.
    private let beats = Heartbeat()

    /// How often time is looked at.
    private static let tick = Duration.seconds(1)
    /// How long the end waits for what may never come: a caller, the token's signature, a disk.
    private static let patience = Duration.seconds(5)
    /// How long an agent whose module hangs takes to answer what it can.
    private static let farewell = Duration.seconds(5)

    /// Opens the audit log, logs in to the token, reads the store, serves the socket, and brings token and store together.
    ///
    /// - Throws: `AuditError`, `HSMError` (`.pinRefused` when the token did not take the PIN, now or before), `StoreError`,
    ///   `PlatformError` for the socket. Nothing is left running then.
    public static func start(
        _ configuration: AgentConfiguration, store: any IssuerStorage, environment: AgentEnvironment
    ) async throws -> AgentServer {
        // Replies come out of records, so those written together are sent together.
        let writes = WriteGathering()
        let audit = try AuditLog(
            configuration.audit, clock: environment.clock, log: environment.log, sendingRepliesTogether: writes.gathering)
        return try await start(configuration, store: store, audit: audit, writes: writes, environment: environment)
    }

    /// As `start(_:store:environment:)`, with an audit log that is closed at the end.
    ///
    /// - Parameter writes: what has the replies leave together that records of the audit log let go.
    static func start(
        _ configuration: AgentConfiguration, store: any IssuerStorage, audit: AuditLog, writes: WriteGathering,
        environment: AgentEnvironment
    ) async throws -> AgentServer {
        let hsm: HSM
        do {
            hsm = try await logIn(configuration, store: store, environment)
        } catch {
            await audit.close()
            throw error
        }
        if let obstacle = hsm.priorityObstacle {
            environment.log.notice(
                "standby keys are generated at the priority of signatures, which wait for them on a busy machine",
                metadata: ["reason": "\(obstacle)", "hint": "\(obstacle.hint)"])
        }
        let server = AgentServer(configuration, store: store, hsm: hsm, audit: audit, writes: writes, environment)
        do {
            try await server.registry.load()
            if let socket = configuration.activated {
                configuration.sayWhatDiffers(socket, environment.log)
                try server.listener.start(on: socket)
            } else {
                try server.listener.start(mode: configuration.socketMode, group: configuration.socketGroup)
            }
            // A token with many keys takes its time; health tells meanwhile, and what else is asked for waits.
            await server.registry.checkToken()
            await server.registry.expectFrontends()
            server.startGate.open()
            await server.signHeadsOfKnownToken()
            return server
        } catch {
            await server.stop()
            if server.hasStuckCalls { throw HSMError.stuck(.unanswered) }
            throw error
        }
    }

    private init(
        _ configuration: AgentConfiguration, store: any IssuerStorage, hsm: HSM, audit: AuditLog, writes: WriteGathering,
        _ environment: AgentEnvironment
    ) {
        self.hsm = hsm
        self.audit = audit
        log = environment.log
        let registry = IssuerRegistry(
            store: store, custody: hsm.custody, hsmStatus: hsm.status, clock: environment.clock,
            publicBaseURL: configuration.publicBaseURL, log: environment.log, journal: audit,
            feed: ChangeFeed(limits: configuration.feed),
            note: AgentNote(
                agent: SystemRandom.hexadecimal(bytes: 8), process: ProcessInfo.processInfo.processIdentifier,
                host: HostName.current()))
        self.registry = registry
        let gate = Gate(policy: configuration.access, clock: environment.clock, log: environment.log)
        self.gate = gate
        let names = UserNames()
        let reloader = Reloader(
            registry: registry, gate: gate, audit: audit, names: names, last: LastReload(), read: environment.reload)
        self.reloader = reloader
        let health = ReportHealth(
            registry: registry, hsm: hsm, audit: audit, lastReload: reloader.last, visibility: Visibility(gate: gate))
        self.health = health
        let startGate = StartGate()
        self.startGate = startGate
        let underWay = InFlightCounter()
        self.underWay = underWay
        auditWatch = Task {
            while (try? await Task.sleep(for: Self.tick)) != nil { audit.watchDisk() }
        }
        let dispatcher = Dispatcher(
            gate: gate, audit: audit,
            sign: Sign(gate: gate, board: registry.board, hsm: hsm, audit: audit, clock: environment.clock),
            operations: OperationTable(
                registry: registry, hsm: hsm, gate: gate, audit: audit, reloader: reloader, health: health,
                metrics: environment.metrics, clock: environment.clock, log: environment.log),
            startGate: startGate, underWay: underWay)
        listener = Listener(
            configuration.servedSocket,
            connections: Connections(
                configuration.limits.within(.current, sessions: configuration.hsm.sessions, environment.log),
                dispatcher: dispatcher, writes: writes, feed: registry.feed, names: names, log: environment.log),
            workers: hsm.idleWorkers, log: environment.log)
        self.store = store
        pin = configuration.pin
        triedPIN = Locked(hsm.pinIdentity)
        clock = environment.clock
    }

    /// Serves until graceful shutdown, then answers what is under way and finalises the module.
    ///
    /// - Throws: `HSMError` with `.stuck` when the process has to end because calls into the module do not return.
    public func run() async throws {
        let ticker = Task {
            while !Task.isCancelled {
                await registry.tick()
                await lookAfterPIN()
                await signHeadsOfKnownToken()
                beats.beat()
                try? await Task.sleep(for: Self.tick)
            }
        }
        let failure = await cancelWhenGracefulShutdown { await self.hsm.stuck() }
        if let failure { log.critical("the agent ends", metadata: ["reason": "\(failure)", "hint": "\(failure.hint)"]) }
        ticker.cancel()
        guard let failure else {
            await ticker.value
            return await stop()
        }
        // What waits for the module may wait for ever.
        await forAtMost(Self.farewell) {
            await ticker.value
            await self.stop()
        }
        throw failure
    }

    /// Whether a call into the PKCS#11 module has not returned: whoever ends the process must not run its destructors.
    public var hasStuckCalls: Bool { hsm.hasStuckCalls }

    /// Returns once time has been looked at, the token's calls and the audit log have been looked after and the sockets looked
    /// at, each since the call. Never while one of them hangs; `run()` must be running.
    public func heartbeat() async throws {
        await beats.next()
        await hsm.heartbeat()
        await audit.heartbeat()
        await listener.heartbeat()
        try Task.checkCancellation()
    }

    /// Does what time has made due. `run()` calls it once a second.
    public func tick() async {
        await registry.tick()
        await registry.drain()
        await signHeadsOfKnownToken()
    }

    /// Has heads of the audit log signed, once the token may have a key made on it.
    private func signHeadsOfKnownToken() async {
        guard audit.lacksSigner, await registry.standing.isChecked, await registry.mayTouchToken else { return }
        audit.signHeads(with: hsm.headSigner(deployment: store.deployment.id))
        audit.signHeadSoon()
    }

    /// What the agent does, and what is wrong, in one line for whoever looks at the service.
    public var summary: String {
        get async {
            let count = await registry.allIssuers.count
            let serving = count == 1 ? "serving 1 issuer" : "serving \(count) issuers"
            let problems = await health.problems
            guard let first = problems.first else { return serving }
            let others = problems.count == 1 ? "" : " (and \(problems.count - 1) more: privyseal health)"
            return "\(serving); \(first.component): \(first.message)\(others)"
        }
    }

    /// Reads the configuration again and reopens the audit log, as the method `reload` does.
    public func reload() async throws {
        let (reloaded, warning) = try await reloader.reloadRecorded()
        if let warning { log.error("the audit log does not go on in a new file", metadata: ["reason": "\(warning)"]) }
        log.notice(
            "read the configuration again",
            metadata: ["applied": "\(reloaded.applied)", "needsRestart": "\(reloaded.needsRestart)"])
    }

    /// A PIN the token has refused while the agent ran is not sent again, after a restart neither, until its source changes.
    /// `run()` calls it once a second.
    public func lookAfterPIN() async {
        guard hsm.isLatched || hsm.refusedPIN != nil else {
            // Only a PIN that was taken ends the memory of one that was not.
            guard isRefusalNoted.withLock({ $0 }), hsm.isPINProven else { return }
            guard (try? await store.setRefusedPIN(nil)) != nil else { return }
            return isRefusalNoted.withLock { $0 = false }
        }
        await noteRefusedPIN()
        // Before the recovery has taken note of a refusal, another PIN would not be tried.
        guard hsm.isLatched else { return }
        do {
            let identity = try pin.identity()
            guard identity != triedPIN.withLock({ $0 }) else { return }
            let corrected = try pin.read()
            // One that is being written just now is looked at the next time.
            guard try pin.identity() == identity else { return }
            triedPIN.withLock { $0 = identity }
            log.notice("the source of the PIN has changed: trying it")
            hsm.use(corrected)
        } catch {
            log.debug("the source of the PIN cannot be read", metadata: ["reason": "\(error)"])
        }
    }

    private func noteRefusedPIN() async {
        let tried = triedPIN.withLock { $0 }
        guard let returnValue = hsm.refusedPIN, (try? await store.refusedPIN())?.source != tried else { return }
        let refused = RefusedPIN(source: tried, returnValue: returnValue.name, at: clock.wall())
        guard await Self.note(refused, in: store, log) else { return }
        isRefusalNoted.withLock { $0 = true }
        log.error("the token refused the PIN: it is not sent again", metadata: ["reason": "\(returnValue.name)"])
    }

    /// Stops accepting, answers what is under way, ends changes that have begun, has the head of the audit log signed, finalises
    /// the module.
    public func stop() async {
        log.info("shutting down")
        // A refusal of the last second has to be remembered too.
        await noteRefusedPIN()
        startGate.close()
        await listener.stop()
        // Connections may have ended before what was asked for on them.
        await forAtMost(Self.patience) { [underWay] in await underWay.drained() }
        await registry.end(destroyingFor: Self.patience)
        await forAtMost(Self.patience) { [audit] in await audit.signHead() }
        await hsm.shutdown()
        await forAtMost(Self.patience) { [audit] in await audit.close() }
        auditWatch.cancel()
    }
}
