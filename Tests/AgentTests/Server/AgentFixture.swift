import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import IssuerStore
import KeyLifecycle
import Logging
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@testable import Agent

/// An agent in this process: on a fresh token, with a store and a socket of its own, and a clock the test sets.
final class AgentFixture: Sendable {
    let token: SoftHSMToken
    /// The store of the next start.
    let storeInUse: Locked<SQLiteIssuerStore>
    let clock: TestClock
    let socketPath: String
    /// What the next start uses; a test changes it before.
    let configuration: Locked<AgentConfiguration>
    /// Which calls of the store fail.
    let failures = StoreFailures()
    /// How the audit log's file fails.
    let auditFaults = AuditFaults()
    private let running = Locked<AgentServer?>(nil)

    static let publicBaseURL = "https://oidc.example.com"

    init(_ token: SoftHSMToken, modulePath: String? = nil, clock: TestClock = TestClock()) throws {
        self.token = token
        self.clock = clock
        socketPath = token.directory + "/agent.sock"
        storeInUse = Locked(
            try SQLiteIssuerStore(
                path: token.directory + "/store.db", tenant: nil,
                minted: Deployment(id: SystemRandom.hexadecimal(bytes: 16), tenant: SystemRandom.uuid())))
        var configuration = try Self.configuration(for: token, socketPath: socketPath)
        if let modulePath { configuration.hsm.modulePath = modulePath }
        self.configuration = Locked(configuration)
    }

    static func configuration(for token: SoftHSMToken, socketPath: String) throws -> AgentConfiguration {
        AgentConfiguration(
            socket: try UnixSocketPath(socketPath), socketMode: 0o600, socketGroup: nil,
            hsm: HSMConfiguration(modulePath: token.modulePath, token: try TokenURI(token.tokenURI), sessions: 2),
            pin: PINSource(identity: { "pin" }) { token.pin() }, publicBaseURL: publicBaseURL,
            access: .ownUser(getuid()), audit: AuditConfiguration(path: token.directory + "/audit.log", headInterval: nil))
    }

    /// Calls with an agent that has been started, configured otherwise than usual where `configure` says so, and stops it
    /// afterwards.
    static func with(
        _ configure: (inout AgentConfiguration) -> Void = { _ in }, _ body: (AgentFixture, AgentConnection) async throws -> Void
    ) async throws {
        try await stopped { agent in
            agent.configuration.withLock { configure(&$0) }
            try await agent.start()
            try await agent.connected { try await body(agent, $0) }
        }
    }

    /// Calls with an agent that has not been started, and stops what has been started by then.
    static func stopped(_ body: (AgentFixture) async throws -> Void) async throws {
        try await SoftHSMToken.with { token in try await AgentFixture(token).stoppedAfter(body) }
    }

    /// As `stopped`, on a token that fails on command, and with clocks that run.
    static func stopped(on token: FaultyToken, _ body: (AgentFixture) async throws -> Void) async throws {
        try await AgentFixture(token.softHSM, modulePath: token.modulePath, clock: TestClock(isRunning: true))
            .stoppedAfter(body)
    }

    /// Calls, and stops what has been started by then.
    func stoppedAfter(_ body: (AgentFixture) async throws -> Void) async throws {
        do {
            try await body(self)
        } catch {
            await stop()
            throw error
        }
        await stop()
    }

    var store: SQLiteIssuerStore { storeInUse.withLock { $0 } }
    var tenant: String { store.deployment.tenant }
    var deployment: String { store.deployment.id }

    func start() async throws {
        let configuration = configuration.withLock { $0 }
        let environment = environment
        let writes = WriteGathering()
        let audit = try AuditLog(
            configuration.audit, clock: environment.clock, log: environment.log,
            open: { [auditFaults] in FaultyAuditFile(try AppendedFile(path: $0), auditFaults) },
            sendingRepliesTogether: writes.gathering)
        let server = try await AgentServer.start(
            configuration, store: FailingStore(store: store, failures: failures), audit: audit, writes: writes,
            environment: environment)
        running.withLock { $0 = server }
    }

    func stop() async {
        let server = running.withLock { running in
            defer { running = nil }
            return running
        }
        await server?.stop()
    }

    func restart() async throws {
        await stop()
        try await start()
    }

    var environment: AgentEnvironment {
        AgentEnvironment(
            clock: clock.agentClock, log: Logger(label: "agent") { _ in SwiftLogNoOpLogHandler() },
            metrics: { "# no metrics\n" },
            reload: {
                ReloadedConfiguration(
                    publicBaseURL: "https://moved.example.com", access: .ownUser(getuid()), applied: [], needsRestart: [])
            })
    }

    /// Lets the agent do what time has made due, and waits for what changes have left to do.
    func settle() async {
        await running.withLock { $0 }?.tick()
    }

    /// The agent, while it runs.
    var server: AgentServer? { running.withLock { $0 } }

    /// Lets the agent look after its PIN, as it does once a second.
    func lookAfterPIN() async {
        await running.withLock { $0 }?.pins.look()
    }

    /// Lets time pass on both clocks, and the agent do what that makes due.
    func pass(_ seconds: Int) async {
        await passUnnoticed(seconds)
        await settle()
    }

    /// Lets time pass without the agent looking what that makes due.
    func passUnnoticed(_ seconds: Int) async {
        // A key that is being generated would have taken all that time.
        await server?.registry.drain()
        clock.pass(seconds)
    }

    func connect() async throws -> AgentConnection {
        try await AgentConnection.connect(socketPath: socketPath)
    }

    func connected(_ body: (AgentConnection) async throws -> Void) async throws {
        let connection = try await connect()
        do {
            try await body(connection)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// Uses the token beside the agent, or without it once it has stopped.
    ///
    /// The agent may initialise the module anew meanwhile, which is done while nobody is inside; so it is told.
    func onToken<Value>(_ body: (borrowing Session) throws -> Value) throws -> Value {
        guard let access = server?.hsm.access else { return try body(token.session()) }
        let thread = WatchedThread(clock: clock.agentClock, limitSeconds: 3_600) { _ in }
        let latest = ContinuousClock.now + .seconds(120)
        while true {
            if case .done(let result) = access.call(watchedBy: thread, { Result { try body(token.session()) } }) {
                return try result.get()
            }
            try #require(ContinuousClock.now < latest, "the agent does not let anybody into the module")
            Thread.sleep(forTimeInterval: 0.001)
        }
    }

    /// `CKA_ID` of each private key on the token, in hexadecimal.
    func privateKeysOnToken() throws -> Set<String> {
        try onToken { session in
            Set(
                try session.findObjects([.class(.privateKey)]).map { object in
                    let bytes = try session.bytes(.id, of: object) ?? []
                    return KeyID(bytes)?.description ?? "\(bytes)"
                })
        }
    }

    /// Uses the token while no agent runs, and leaves the module as the next agent wants it.
    func onIdleToken<Value>(_ body: (borrowing Session) throws -> Value) throws -> Value {
        defer { try? token.module().finalize() }
        return try body(token.session())
    }
}

/// A wall clock and a monotonic clock that stand still unless they are moved, or run as the machine's do and can be moved.
final class TestClock: Sendable {
    /// Where the wall clock stands at first, in seconds since 1970.
    static let start: Int64 = 1_795_514_400
    private let time = Locked((wall: TestClock.start, monotonic: Int64(1_000)))
    private let start: Int64?

    init(isRunning: Bool = false) {
        start = isRunning ? MonotonicClock.nanoseconds() : nil
    }

    private var elapsed: Int64 { start.map { MonotonicClock.nanoseconds() - $0 } ?? 0 }

    var now: Int64 { time.withLock { $0.wall } + elapsed / 1_000_000_000 }

    var agentClock: AgentClock {
        AgentClock(
            wall: { Timestamp(seconds: self.now) },
            monotonic: { self.time.withLock { $0.monotonic } * 1_000_000_000 + self.elapsed })
    }

    /// Time passes: both clocks advance.
    func pass(_ seconds: Int) {
        time.withLock { time in
            time.wall += Int64(seconds)
            time.monotonic += Int64(seconds)
        }
    }

    /// Somebody sets the wall clock.
    func jump(_ seconds: Int) {
        time.withLock { $0.wall += Int64(seconds) }
    }
}
