import FaultyTokenSupport
import FleetHistory
import FleetSupport
import Foundation
import IssuerStore
import Platform
import ProcessSupport
import SoftHSMSupport
import TestSupport

/// Agents and frontends on one machine: three of each with three members of etcd behind them, or one of each with a store of its own.
///
/// Every way between two of them goes over a proxy. All of them end with this process.
final class Fleet: Sendable {
    /// Seconds that an agent signs without its view being confirmed.
    static let staleness = 10
    /// Seconds after which a frontend that nothing confirms turns unready.
    static let staleAfter = 30
    /// Under which the store lies in etcd.
    static let prefix = "/privyseal/1/"

    let directory: String
    let token: SoftHSMToken
    let group: ProcessGroup
    let agents: [FleetAgent]
    let frontends: [FleetFrontend]
    /// Nil where the one agent has SQLite.
    let etcd: EtcdCluster?
    let log = StoreLog()
    /// From each agent to each member.
    let storeWays: [[CuttableProxy]]
    /// From each frontend to each agent.
    let agentWays: [[CuttableProxy]]

    /// Makes the configuration of a fleet of one agent, or of three that share an etcd.
    static func make(isShared: Bool, _ token: SoftHSMToken) async throws -> Fleet {
        let group = try ProcessGroup(in: token.directory)
        do {
            return try await Fleet(isShared, token, group)
        } catch {
            await group.end()
            throw error
        }
    }

    private init(_ isShared: Bool, _ token: SoftHSMToken, _ group: ProcessGroup) async throws {
        (self.token, self.group, directory) = (token, group, token.directory)
        let count = isShared ? 3 : 1
        etcd = isShared ? try EtcdCluster(in: directory + "/etcd", group, port: FreePort.next) : nil
        try await etcd?.start()
        let ports = try (0..<count).map { _ in try FreePort.next() }
        var storeWays: [[CuttableProxy]] = []
        var agents: [FleetAgent] = []
        for index in 0..<count {
            var ways: [CuttableProxy] = []
            for member in 0..<(etcd?.count ?? 0) {
                ways.append(try await .start(listeningAt: .port(0), to: .port(etcd?.clientPort(member) ?? 0)))
            }
            storeWays.append(ways)
            agents.append(try FleetAgent(index, token, group, publicPort: ports[0], store: ways))
        }
        (self.storeWays, self.agents) = (storeWays, agents)
        var agentWays: [[CuttableProxy]] = []
        var frontends: [FleetFrontend] = []
        for index in 0..<count {
            var ways: [CuttableProxy] = []
            for agent in agents {
                let path = "\(directory)/f\(index + 1)-\(agent.name).sock"
                ways.append(try await .start(listeningAt: .socket(path), to: .socket(agent.socket)))
            }
            agentWays.append(ways)
            frontends.append(try FleetFrontend(index, directory, group, port: ports[index], agents: ways))
        }
        (self.agentWays, self.frontends) = (agentWays, frontends)
    }

    func start() async throws {
        try await agents[0].initialise()
        for agent in agents { try await agent.start() }
        for frontend in frontends { try frontend.start() }
        for frontend in frontends {
            let serves = await poll(frontend.name) { try await HTTPFetch.get("/healthz", port: frontend.port).status == 200 }
            guard serves else { throw CampaignError("\(frontend.name) does not serve: \(frontend.text)") }
        }
    }

    /// Opens every way, and has everything run that does not.
    func heal() async throws {
        for way in (storeWays + agentWays).joined() { way.set(.open) }
        for member in 0..<(etcd?.count ?? 0) {
            etcd?.process(member)?.resume()
            if etcd?.isRunning(member) == false { try etcd?.start(member) }
        }
        for agent in agents {
            try agent.clock.set(ahead: 0)
            try agent.module.clear()
            agent.resume()
            if !agent.isRunning { try await agent.start() }
        }
    }

    /// Ends every process.
    func end() async {
        await group.end()
        for way in (storeWays + agentWays).joined() { await way.close() }
    }
}

/// An agent of a fleet, through its starts.
final class FleetAgent: Sendable {
    let name: String
    let directory: String
    let socket: String
    let configuration: String
    /// A module of its own before the common token.
    let module: FaultyToken
    let clock: SetClock
    private let group: ProcessGroup
    private let token: SoftHSMToken
    private let store: String?
    private let process = Locked<ChildProcess?>(nil)

    init(_ index: Int, _ token: SoftHSMToken, _ group: ProcessGroup, publicPort: Int, store ways: [CuttableProxy]) throws {
        name = "a\(index + 1)"
        (self.group, self.token) = (group, token)
        directory = "\(token.directory)/\(name)"
        socket = "\(directory)/agent.sock"
        configuration = "\(directory)/agent.yaml"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        module = try FaultyToken(before: token, in: directory)
        clock = try SetClock(directory + "/clock")
        store = ways.isEmpty ? directory + "/store.db" : nil
        var text = """
            socket: { path: \(socket), mode: "0600" }
            token: { uri: "\(token.tokenURI)", module: \(module.modulePath), pinFile: \(token.pinFile) }
            publicBaseURL: http://127.0.0.1:\(publicPort)
            signing: { sessions: 2, deadline: 40s, callLimit: 40s }
            audit: { path: \(directory)/audit.log }

            """
        if let store {
            text += "store: { sqlite: \(store) }\n"
        } else {
            let endpoints = ways.compactMap { way in
                if case .port(let port) = way.place { "http://127.0.0.1:\(port)" } else { nil }
            }
            text += """
                store:
                  etcd: { endpoints: [\(endpoints.joined(separator: ", "))] }
                  maxStaleness: \(Fleet.staleness)s
                  agent: \(name)
                  memory: \(directory)/fleet.json

                """
        }
        try writeFile(configuration, text)
    }

    /// The path of its SQLite store.
    var sqlite: String? { store }
    var auditLog: String { directory + "/audit.log" }
    var isRunning: Bool { process.withLock { $0?.isRunning ?? false } }
    var text: String { (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? "" }

    /// Makes the store.
    func initialise() async throws {
        let made = try await Programs.run("privyseald", ["init", "--config", configuration])
        guard made.status == 0 else { throw CampaignError("the store cannot be made: \(made.errors)") }
    }

    /// Starts it, and returns when its socket is there or it has ended again.
    func start() async throws {
        try token.mendIfCutShort()
        let started = try group.start(
            "\(Programs.directory)/privyseald", ["serve", "--config", configuration],
            environment: ["PATH": "/usr/bin:/bin"].merging(clock.environment) { $1 }, log: directory + "/log")
        process.withLock { $0 = started }
        for _ in 0..<3_000 where started.isRunning {
            if FileManager.default.fileExists(atPath: socket) { return }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    func kill() async {
        await process.withLock { $0 }?.end()
        try? FileManager.default.removeItem(atPath: socket)
    }

    /// Asks it to end, and waits.
    func terminate() async {
        let process = process.withLock { $0 }
        process?.send(SIGTERM)
        _ = await process?.status
    }

    func pause() async throws { try await process.withLock { $0 }?.pause() }
    func resume() { process.withLock { $0 }?.resume() }
}

final class FleetFrontend: Sendable {
    let name: String
    let port: Int
    private let directory: String
    private let configuration: String
    private let group: ProcessGroup

    init(_ index: Int, _ directory: String, _ group: ProcessGroup, port: Int, agents: [CuttableProxy]) throws {
        name = "f\(index + 1)"
        (self.port, self.group) = (port, group)
        self.directory = "\(directory)/\(name)"
        configuration = "\(self.directory)/issuer.yaml"
        try FileManager.default.createDirectory(
            atPath: self.directory + "/documents", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let sockets = agents.compactMap { way in
            if case .socket(let path) = way.place { path } else { nil }
        }
        try writeFile(
            configuration,
            """
            \(sockets.count == 1 ? "agent: \(sockets[0])" : "agents: [\(sockets.joined(separator: ", "))]")
            listen: { host: 127.0.0.1, port: \(port) }
            cache: \(self.directory)/documents
            staleAfter: \(Fleet.staleAfter)s

            """)
    }

    var text: String { (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? "" }

    /// Takes what the agents say from now on, as an operator does after a recovery.
    func accept() async throws {
        var why = ""
        let isTaken = await poll("\(name) to take it") {
            let outcome = try await Programs.run("privyseal-issuer", ["accept", "--yes", "--config", configuration])
            why = outcome.errors
            return outcome.status == 0
        }
        guard isTaken else { throw CampaignError("\(name) does not accept: \(why)") }
    }

    func start() throws {
        _ = try group.start(
            "\(Programs.directory)/privyseal-issuer", ["serve", "--config", configuration], log: directory + "/log")
    }
}
