import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import IssuerStore
import Platform
import ProcessSupport
import SoftHSMSupport
import TLSSupport
import TestSupport
import Testing

/// A token, a store, configuration files and a free port: what an operator has before starting the daemons.
final class Installation {
    let token: SoftHSMToken
    let directory: String
    let port: Int
    /// What the frontend speaks.
    private var scheme = "http"
    var socket: String { directory + "/agent.sock" }
    var agentConfiguration: String { directory + "/agent.yaml" }
    var issuerConfiguration: String { directory + "/issuer.yaml" }
    var environment: [String: String] { ["PRIVYSEAL_SOCKET": socket] }
    /// What the agent loads.
    private let modulePath: String
    /// What the agent finds in its environment beside what the tests do.
    var agentEnvironment: [String: String]
    /// And what the frontend does.
    var frontendEnvironment: [String: String] = [:]
    private var daemons: [Daemon] = []
    /// Stores that were made for it.
    private var stores: Set<String> = []
    /// The agent that was started last.
    private(set) var agent: Daemon?

    /// - Parameter modulePath: a module in front of the token's own; that one itself otherwise.
    init(_ token: SoftHSMToken, modulePath: String? = nil, agentEnvironment: [String: String] = [:]) throws {
        self.token = token
        self.modulePath = modulePath ?? token.modulePath
        self.agentEnvironment = agentEnvironment
        directory = token.directory
        port = try FreePort.next()
        try writeAgentConfiguration()
        try writeIssuerConfiguration()
        try FileManager.default.createDirectory(
            atPath: directory + "/documents", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    /// Writes the agent's configuration, with some of its lines replaced.
    func writeAgentConfiguration(replacing replacements: [String: String] = [:]) throws {
        var text = """
            socket: { path: \(socket), mode: "0600" }
            token: { uri: "\(token.tokenURI)", module: \(modulePath), pinFile: \(token.pinFile) }
            store: { sqlite: \(directory)/store.db }
            publicBaseURL: http://127.0.0.1:\(port)
            """
        for (part, replacement) in replacements { text = text.replacing(part, with: replacement) }
        try text.write(toFile: agentConfiguration, atomically: true, encoding: .utf8)
        try initialise(text)
        // Whatever the umask of whoever runs the tests.
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: agentConfiguration)
    }

    /// Makes the store that the configuration names, as `privyseald init` does, the first time that it is named and where one
    /// can be.
    private func initialise(_ configuration: String) throws {
        guard let match = try /sqlite: ([^ ]+)/.firstMatch(in: configuration) else { return }
        let path = String(match.1)
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard FileManager.default.fileExists(atPath: directory), stores.insert(path).inserted,
            !FileManager.default.fileExists(atPath: path)
        else { return }
        _ = try? SQLiteIssuerStore(
            path: path, tenant: nil,
            minted: Deployment(id: SystemRandom.hexadecimal(bytes: 16), tenant: SystemRandom.uuid()))
    }

    /// Writes the frontend's configuration, plain HTTP without a certificate.
    func writeIssuerConfiguration(tls: TestCertificate? = nil) throws {
        scheme = tls == nil ? "http" : "https"
        let more = tls.map { "tls: { certificate: \($0.certificate), key: \($0.key) }\n" } ?? ""
        try """
        agent: \(socket)
        listen: { host: 127.0.0.1, port: \(port) }
        cache: \(directory)/documents
        \(more)
        """.write(toFile: issuerConfiguration, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: issuerConfiguration)
    }

    /// Runs `body` with an installation on a token of its own; ends what it started.
    static func with(_ body: (Installation) async throws -> Void) async throws {
        try await SoftHSMToken.with { token in try await Installation(token).run(body) }
    }

    /// Runs `body` with an installation whose agent loads the faulty module; ends what it started.
    static func withFaultyToken(_ body: (Installation, FaultyToken) async throws -> Void) async throws {
        try await FaultyToken.with { token in
            try await Installation(token.softHSM, modulePath: token.modulePath).run { site in try await body(site, token) }
        }
    }

    /// Runs `body` and ends what it started.
    func run(_ body: (Installation) async throws -> Void) async throws {
        do {
            try await body(self)
        } catch {
            await endAll()
            throw error
        }
        await endAll()
    }

    private func endAll() async {
        for daemon in daemons where daemon.process.isRunning { await daemon.end(SIGKILL) }
    }

    /// Starts the agent, which does not answer yet.
    func launchAgent() throws -> Daemon {
        let daemon = try Daemon(
            "privyseald", configuration: agentConfiguration, log: directory + "/privyseald.log",
            environment: agentEnvironment)
        daemons.append(daemon)
        return daemon
    }

    /// Ends the agent in order and starts it again.
    func restartAgent() async throws {
        #expect(await agent?.end() == 0)
        try await startAgent()
    }

    /// Starts the agent and waits until it answers.
    @discardableResult
    func startAgent() async throws -> Daemon {
        let daemon = try launchAgent()
        agent = daemon
        let answers = await poll("the agent") {
            guard daemon.process.isRunning else { return true }
            let client = try await connect()
            _ = try await client.call(VersionParameters())
            await client.close()
            return true
        }
        try #require(answers && daemon.process.isRunning, "\(daemon.text)")
        return daemon
    }

    /// Starts the frontend and waits until it serves; curl may need options for that.
    @discardableResult
    func startFrontend(health options: [String] = []) async throws -> Daemon {
        let daemon = try Daemon(
            "privyseal-issuer", configuration: issuerConfiguration, log: directory + "/issuer.log",
            environment: frontendEnvironment)
        daemons.append(daemon)
        let serves = await poll("the frontend") { try await get("/healthz", options).status == 200 }
        try #require(serves, "\(daemon.text)")
        return daemon
    }

    /// Starts what Python makes of a launcher; see `Launcher`.
    func start(_ arguments: [String], environment: [String: String] = [:]) throws -> Daemon {
        try start(at: Launcher.python, arguments, environment: environment)
    }

    /// Starts a program of the machine.
    func start(at program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> Daemon {
        let log = "\(directory)/launcher-\(daemons.count).log"
        let daemon = try Daemon(
            at: program, arguments, log: log, environment: self.environment.merging(environment) { _, given in given })
        daemons.append(daemon)
        return daemon
    }

    /// Waits until an agent answers on the socket.
    func agentAnswers(on path: String? = nil) async -> Bool {
        await poll("the agent") {
            try await Programs.run("privyseal", ["version"], environment: ["PRIVYSEAL_SOCKET": path ?? socket]).status == 0
        }
    }

    func connect() async throws -> AgentConnection {
        try await AgentConnection.connect(socketPath: socket)
    }

    /// Runs the client.
    func privyseal(_ arguments: String..., input: String = "") async throws -> Programs.Outcome {
        try await Programs.run("privyseal", arguments, environment: environment, input: input)
    }

    /// Runs a command of the agent's program on this installation's configuration.
    func privyseald(_ command: String, _ arguments: String...) async throws -> Programs.Outcome {
        try await Programs.run("privyseald", [command, "--config", agentConfiguration] + arguments)
    }

    /// The standard output of the client, which must succeed; without the line's end.
    func output(_ arguments: String..., input: String = "") async throws -> String {
        try await output(arguments: arguments, input: input)
    }

    func output(arguments: [String], input: String = "") async throws -> String {
        let outcome = try await Programs.run("privyseal", arguments, environment: environment, input: input)
        return try outcome.output(of: ["privyseal"] + arguments).trimmingCharacters(in: .newlines)
    }

    struct Answer {
        let status: Int
        let headers: [String: String]
        let body: String
    }

    /// Fetches a path, or a whole URL, of the frontend with curl.
    func get(_ target: String, _ options: [String] = []) async throws -> Answer {
        let url = target.hasPrefix("/") ? "\(scheme)://127.0.0.1:\(port)\(target)" : target
        let outcome = try await Programs.run(at: "/usr/bin/curl", ["-sS", "-i", "--max-time", "10"] + options + [url])
        let text = outcome.output.replacing("\r\n", with: "\n")
        let parts = text.split(separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
        let lines = (parts.first ?? "").split(separator: "\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let headers = lines.dropFirst().compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon].lowercased(), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
        return Answer(
            status: status, headers: Dictionary(headers) { first, _ in first }, body: parts.count > 1 ? String(parts[1]) : "")
    }
}
