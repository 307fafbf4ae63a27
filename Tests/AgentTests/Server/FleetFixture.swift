import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import IssuerStore
import IssuerStoreSupport
import KeyLifecycle
import PKCS11
import Platform
import SoftHSMSupport
import TestSupport
import Testing

@testable import Agent

/// Agents in this process that share a token and a store, each with a module, a socket, a log and clocks of its own.
final class FleetFixture: Sendable {
    let token: SoftHSMToken
    let store: InMemorySharedStore
    let agents: [FleetAgent]

    init(
        _ token: SoftHSMToken, agents names: [String], faulty: Set<String> = [], withRunningClocks isRunning: Bool = true
    ) throws {
        self.token = token
        let deployment = Deployment(id: SystemRandom.hexadecimal(bytes: 16), tenant: SystemRandom.uuid())
        let clock = TestClock(isRunning: true).agentClock
        let store = InMemorySharedStore(deployment: deployment) { clock.monotonic() }
        self.store = store
        agents = try names.map { name in
            try FleetAgent(name, token, store, TestClock(isRunning: isRunning), isFaulty: faulty.contains(name))
        }
    }

    /// Calls with agents that have been started, and stops those that run afterwards.
    ///
    /// - Parameters:
    ///   - isSigningHeads: whether the heads of their audit logs are signed.
    ///   - faulty: those whose module fails on command.
    ///   - isRunning: whether their clocks run, or stand still unless they are moved.
    ///   - configure: changes the configuration of each.
    static func with(
        _ names: [String] = ["a", "b", "c"], signingHeads isSigningHeads: Bool = false, faulty: Set<String> = [],
        withRunningClocks isRunning: Bool = true, _ configure: (inout AgentConfiguration) -> Void = { _ in },
        _ body: (FleetFixture) async throws -> Void
    ) async throws {
        try await SoftHSMToken.with { token in
            let fleet = try FleetFixture(token, agents: names, faulty: faulty, withRunningClocks: isRunning)
            for agent in fleet.agents {
                agent.configuration.withLock { configuration in
                    if isSigningHeads { configuration.audit.headInterval = 3_600 }
                    configure(&configuration)
                }
            }
            do {
                for agent in fleet.agents { try await agent.start() }
                try await body(fleet)
            } catch {
                await fleet.end()
                throw error
            }
            await fleet.end()
        }
    }

    /// Stops those that run, whatever a test has left held.
    private func end() async {
        for agent in agents { agent.letGo() }
        for agent in agents { await agent.stop() }
    }

    subscript(index: Int) -> FleetAgent { agents[index] }

    /// Lets every agent look at the store and do what it has left to do.
    func settle() async {
        for agent in agents { await agent.settle() }
    }

    /// Lets time pass on all clocks.
    func pass(_ seconds: Int) async {
        await passUnnoticed(seconds)
        await settle()
    }

    /// Lets time pass on all clocks without any agent looking what that makes due.
    func passUnnoticed(_ seconds: Int) async {
        for agent in agents { agent.clock.pass(seconds) }
        for agent in agents { await agent.server.fleet?.renew() }
        for agent in agents { await agent.server.fleet?.lookAtRoster() }
    }

    /// `CKA_ID` of each private key on the token, in hexadecimal.
    func privateKeysOnToken() throws -> Set<String> {
        let session = try token.session()
        return Set(
            try session.findObjects([.class(.privateKey)]).compactMap { object in
                KeyID(try session.bytes(.id, of: object) ?? [])?.description
            })
    }

    /// `CKA_ID` of each published key in the store, in hexadecimal.
    func publishedKeys() async throws -> Set<String> {
        Set(try await issuers().flatMap { $0.ring.published.map(\.keyID.description) })
    }

    /// The published keys of an issuer in the store.
    func keys(of issuer: String) async throws -> [SigningKey] {
        try await issuers().filter { $0.name.text == issuer }.flatMap(\.ring.published)
    }

    /// An issuer as the store has it.
    func issuer(_ name: String = "demo") async throws -> Issuer {
        try #require(try await issuers().first { $0.name.text == name })
    }

    private func issuers() async throws -> [Issuer] {
        try await contents().issuers
    }

    /// What the store has.
    func contents() async throws -> StoreContents {
        try await reader().view().contents
    }

    /// What an agent last said of itself in the store.
    func report(of agent: String) async throws -> MemberReport? {
        try await reader().fleet().entries.first { $0.member.id == agent }?.report
    }

    private func reader() -> InMemorySharedStore.Handle {
        store.handle(agent: "reader", incarnation: SystemRandom.hexadecimal(bytes: 8), clock: { 0 })
    }
}

/// One of them.
final class FleetAgent: Sendable {
    let name: String
    let clock: TestClock
    private let faults: FaultyToken?
    let configuration: Locked<AgentConfiguration>
    /// How the audit log's file fails.
    let auditFaults = AuditFaults()
    let records = LogRecords()
    private let store: InMemorySharedStore
    private let running = Locked<(server: AgentServer, handle: InMemorySharedStore.Handle)?>(nil)

    init(
        _ name: String, _ token: SoftHSMToken, _ store: InMemorySharedStore, _ clock: TestClock, isFaulty: Bool = false
    ) throws {
        self.name = name
        self.clock = clock
        self.store = store
        var configuration = try AgentFixture.configuration(for: token, socketPath: "\(token.directory)/\(name).sock")
        // A module of its own, as another process has.
        configuration.hsm.modulePath = "\(token.directory)/\(name).so"
        try FileManager.default.copyItem(atPath: token.modulePath, toPath: configuration.hsm.modulePath)
        if isFaulty {
            let directory = "\(token.directory)/\(name)"
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            let faults = try FaultyToken(before: token, in: directory, module: configuration.hsm.modulePath)
            configuration.hsm.modulePath = faults.modulePath
            self.faults = faults
        } else {
            faults = nil
        }
        // Of a busy machine nothing is expected in time.
        configuration.fleetLimits = StoreFollower.Limits(
            readiness: .seconds(120), brief: .seconds(120), look: .seconds(120))
        (configuration.feed.publication, configuration.feed.withdrawal) = (.seconds(120), .seconds(120))
        configuration.audit.path = "\(token.directory)/\(name).log"
        self.configuration = Locked(configuration)
    }

    /// How its token fails; of one that was made faulty only.
    var faultyToken: FaultyToken { faults! }
    var handle: InMemorySharedStore.Handle { running.withLock { $0!.handle } }
    var server: AgentServer { running.withLock { $0!.server } }

    func start(release: String = "1") async throws {
        let clock = clock.agentClock
        let incarnation = SystemRandom.hexadecimal(bytes: 8)
        let handle = store.handle(agent: name, incarnation: incarnation) { clock.monotonic() }
        var configuration = configuration.withLock { $0 }
        configuration.fleet = FleetMember(
            id: name, incarnation: incarnation, host: "host-\(name)", release: release, staleness: 60)
        let writes = WriteGathering()
        let audit = try AuditLog(
            configuration.audit, clock: clock, log: environment.log,
            open: { [auditFaults] in FaultyAuditFile(try AppendedFile(path: $0), auditFaults) },
            sendingRepliesTogether: writes.gathering)
        let server = try await AgentServer.start(
            configuration, store: handle, audit: audit, writes: writes, environment: environment)
        running.withLock { $0 = (server, handle) }
    }

    private var environment: AgentEnvironment {
        AgentEnvironment(
            clock: clock.agentClock, log: records.logger, metrics: { "" },
            reload: {
                ReloadedConfiguration(
                    publicBaseURL: AgentFixture.publicBaseURL, access: .ownUser(getuid()), applied: [], needsRestart: [])
            })
    }

    /// Holds nothing up any more.
    func letGo() {
        try? faults?.clear()
        auditFaults.set { ($0.isWriteHanging, $0.isSyncHanging) = (false, false) }
        running.withLock { $0 }?.handle.set(.open)
    }

    func stop() async {
        let server = running.withLock { running in
            defer { running = nil }
            return running?.server
        }
        await server?.stop()
    }

    /// Lets the agent look at the store and do what it has left to do.
    func settle() async {
        guard let server = running.withLock({ $0?.server }) else { return }
        await server.fleet?.look()
        await server.tick()
        await server.fleet?.tryKeysAgain()
    }

    func connection() async throws -> AgentConnection {
        try await AgentConnection.connect(socketPath: configuration.withLock { $0.socket.path })
    }

    func connected<Value>(_ body: (AgentConnection) async throws -> Value) async throws -> Value {
        let connection = try await connection()
        do {
            let value = try await body(connection)
            await connection.close()
            return value
        } catch {
            await connection.close()
            throw error
        }
    }

    func sign(_ issuer: String = "demo") async throws -> SignResult {
        try await connected { try await $0.sign(issuer) }
    }
}
