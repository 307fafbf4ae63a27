import AgentProtocol
import Foundation
public import IssuerStore
import KeyLifecycle
import Logging
import PKCS11
import Platform
public import ServiceLifecycle

/// A running agent: token, store, audit log and socket put together.
public final class AgentServer: Service {
    let hsm: HSM
    let gate: Gate
    let registry: IssuerRegistry
    let audit: AuditLog
    let listener: Listener
    let pins: PINWatch
    /// Follows a store that other agents change as well; `nil` for one of this agent's own.
    let fleet: StoreFollower?
    /// Keeps the heads of the other agents' audit logs; `nil` where there are none.
    let heads: HeadExchange?
    private let store: any IssuerStorage
    private let log: Logger
    private let startGate: StartGate
    /// Requests that are carried out.
    private let underWay: InFlightCounter
    /// Looks once a second whether the audit log's disk answers: from the beginning, and to the end.
    private let auditWatch: Task<Void, Never>
    private let reloader: Reloader
    private let health: ReportHealth

    /// Whether what lies in a shared store has been sealed, or why that failed when it was last tried.
    private let sealing: Locked<(isDone: Bool, failure: String?)>
    /// Beats when time has been looked at.
    private let beats = Heartbeat()

    /// How often time is looked at.
    private static let tick = Duration.seconds(1)
    /// How long a stop waits for each thing that may never come: a caller, the token's signature, a disk.
    private static let stepTimeout = Duration.seconds(5)
    /// How long the stop of an agent whose module hangs may take in all.
    private static let shutdownTimeout = Duration.seconds(5)

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
        var configuration = configuration
        configuration.hsm.isStoreShared = configuration.fleet != nil
        let hsm: HSM
        do {
            hsm = try await PINWatch.logIn(configuration, store: store, environment)
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
            (store as? any SealedStorage)?.use(hsm.recordSealer(deployment: store.deployment.id), isJudging: true)
            try await server.registry.load()
            await server.fleet?.start()
            await server.heads?.start()
            if let socket = configuration.activated {
                configuration.sayWhatDiffers(socket, environment.log)
                try server.listener.start(on: socket)
            } else {
                try server.listener.start(mode: configuration.socketMode, group: configuration.socketGroup)
            }
            // A token with many keys takes its time; health tells meanwhile, and what else is asked for waits.
            await server.registry.checkToken()
            await server.registry.expectFrontends()
            await server.sealRecordsOfKnownToken()
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
        let feed = ChangeFeed(limits: configuration.feed)
        let fleet = (store as? any SharedIssuerStorage).flatMap { store in
            configuration.fleet.map { member in
                StoreFollower(
                    store: store, member: member, limits: configuration.fleetLimits, feed: feed, fence: hsm.fence,
                    tryKey: { try await hsm.tryKey($0) },
                    clock: environment.clock, log: environment.log)
            }
        }
        self.fleet = fleet
        let clock = fleet?.time.bounding(environment.clock) ?? environment.clock
        heads = fleet.map { HeadExchange(store: $0.store, audit: audit, clock: environment.clock, log: environment.log) }
        if let member = fleet?.member { audit.entitle(agent: member.id, deployment: store.deployment.id) }
        let registry = IssuerRegistry(
            store: store, custody: hsm.custody, hsmStatus: hsm.status, clock: clock,
            publicBaseURL: configuration.publicBaseURL, log: environment.log, journal: audit,
            feed: feed,
            // Where several agents share a store they are right to use one token.
            note: fleet == nil
                ? AgentNote(
                    agent: SystemRandom.hexadecimal(bytes: 8), process: ProcessInfo.processInfo.processIdentifier,
                    host: HostName.current()) : nil,
            fleet: fleet)
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
        auditWatch = every(Self.tick) { audit.watchDisk() }
        let dispatcher = Dispatcher(
            gate: gate, audit: audit,
            sign: Sign(gate: gate, board: registry.board, hsm: hsm, audit: audit, clock: clock) {
                await fleet?.lookBriefly()
            },
            operations: OperationTable(
                registry: registry, hsm: hsm, gate: gate, audit: audit, reloader: reloader, health: health,
                confirmation: fleet.map { fleet in ViewConfirmation(clock: environment.clock) { fleet.shownAt } }
                    ?? .ownStore,
                metrics: environment.metrics, clock: environment.clock, log: environment.log),
            startGate: startGate, underWay: underWay)
        listener = Listener(
            configuration.servedSocket,
            connections: Connections(
                configuration.limits.within(.current, sessions: configuration.hsm.sessions, environment.log),
                dispatcher: dispatcher, writes: writes, feed: registry.feed, names: names, log: environment.log),
            workers: hsm.idleWorkers, log: environment.log)
        self.store = store
        sealing = Locked((isDone: !(store is any SealedStorage), failure: nil))
        pins = PINWatch(hsm, source: configuration.pin, store: store, clock: environment.clock, log: environment.log)
    }

    /// Serves until graceful shutdown, then answers what is under way and finalises the module.
    ///
    /// - Throws: `HSMError` with `.stuck` when the process has to end because calls into the module do not return.
    public func run() async throws {
        let ticker = every(Self.tick) { [self] in
            await registry.tick()
            await pins.look()
            await sealRecordsOfKnownToken()
            await signHeadsOfKnownToken()
            beats.beat()
        }
        let failure = await cancelWhenGracefulShutdown { await self.hsm.stuck() }
        if let failure { log.critical("the agent ends", metadata: ["reason": "\(failure)", "hint": "\(failure.hint)"]) }
        ticker.cancel()
        guard let failure else {
            await ticker.value
            return await stop()
        }
        // What waits for the module may wait for ever.
        await forAtMost(Self.shutdownTimeout) {
            await ticker.value
            await self.stop()
        }
        throw failure
    }

    /// Logs in to the token and out again, to see whether an agent could start.
    ///
    /// - Parameter store: where a refused PIN is remembered; `nil` when there is no store yet.
    /// - Throws: `HSMError`, `StoreError`.
    public static func rehearse(
        _ configuration: AgentConfiguration, store: (any IssuerStorage)?, environment: AgentEnvironment
    ) async throws {
        try await PINWatch.logIn(configuration, store: store, environment).end()
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
        await sealRecordsOfKnownToken()
        await signHeadsOfKnownToken()
    }

    /// Sees to it that what lies in a shared store is sealed, once the token may have a key made on it.
    private func sealRecordsOfKnownToken() async {
        guard !sealing.withLock({ $0.isDone }), let store = store as? any SealedStorage else { return }
        guard hsm.status.trouble == nil, await registry.standing.isChecked, await registry.standing.standstill == nil,
            await registry.mayTouchToken
        else { return }
        do {
            try await store.sealAll()
            sealing.withLock { $0 = (true, nil) }
        } catch {
            // It is tried again with each tick, and said once.
            let reason = "\(error)"
            let isNews = sealing.withLock { sealing in
                defer { sealing.failure = reason }
                return sealing.failure != reason
            }
            if isNews { log.warning("the records in the store could not be sealed", metadata: ["reason": "\(reason)"]) }
        }
    }

    /// Has heads of the audit log signed, once the token may have a key made on it.
    private func signHeadsOfKnownToken() async {
        guard audit.lacksSigner, await registry.standing.isChecked, await registry.mayTouchToken else { return }
        audit.signHeads(with: hsm.headSigner(deployment: store.deployment.id, agent: fleet?.member.id))
        audit.signHeadSoon()
    }

    /// What the agent does, and what is wrong, in one line for whoever looks at the service.
    public var summary: String {
        get async {
            let count = await registry.allIssuers.count
            var serving = count == 1 ? "serving 1 issuer" : "serving \(count) issuers"
            if let standing = await fleet?.standing {
                let present = standing.members.count { $0.isPresent || $0.isOwn }
                serving += ", one of \(present) agent\(present == 1 ? "" : "s")"
            }
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

    /// Stops accepting, answers what is under way, ends changes that have begun, has the head of the audit log signed, finalises
    /// the module.
    public func stop() async {
        log.info("shutting down")
        // A refusal of the last second has to be remembered too.
        await pins.noteRefusal()
        startGate.close()
        await listener.stop()
        // Connections may have ended before what was asked for on them.
        await forAtMost(Self.stepTimeout) { [underWay] in await underWay.drained() }
        await registry.end(destroyingFor: Self.stepTimeout)
        await heads?.stop()
        // A store that did not answer is not waited for.
        let isInTouch = await fleet?.standing.isInTouch ?? false
        if isInTouch { await forAtMost(Self.stepTimeout) { [heads] in await heads?.look() } }
        await forAtMost(Self.stepTimeout) { [audit] in await audit.signHead() }
        if isInTouch { await forAtMost(Self.stepTimeout) { [heads] in await heads?.publish() } }
        await hsm.shutdown()
        // Others wait for an agent that has a signature under way until it cannot hand it over any more.
        if !hasStuckCalls { await forAtMost(Self.stepTimeout) { [fleet] in await fleet?.stop() } }
        await forAtMost(Self.stepTimeout) { [audit] in await audit.close() }
        auditWatch.cancel()
    }
}
