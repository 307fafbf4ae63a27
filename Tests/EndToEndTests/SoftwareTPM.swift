import AgentClient
import AgentProtocol
import Foundation
import ProcessSupport
import Testing

/// A software TPM (swtpm) with a token of tpm2-pkcs11 on it, and what an operator has beside it before starting the agent.
///
/// Between the two stands tpm2-abrmd, as the kernel's resource manager does before a TPM of hardware: tpm2-pkcs11 needs more
/// objects in the TPM at once than that has room for. It speaks over a D-Bus of its own. All three listen in the directory
/// only, are known to child processes by their environment, and end with the test.
final class SoftwareTPM {
    let directory: String
    let module: String
    var socket: String { directory + "/agent.sock" }
    var configuration: String { directory + "/agent.yaml" }
    private var daemons: [Daemon] = []

    static let label = "privyseal-tpm"

    private static let modules = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/libtpm2_pkcs11.so.1" }

    private init() async throws {
        directory = "/tmp/privyseal-tpm-" + UUID().uuidString.prefix(6).lowercased()
        module = try #require(
            Self.modules.first(where: FileManager.default.fileExists(atPath:)), "tpm2-pkcs11 is missing: run scripts/bootstrap")
        for name in ["", "/state", "/store"] {
            try FileManager.default.createDirectory(
                atPath: directory + name, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        }
        for (name, pin) in [("pin", "user-2718"), ("so-pin", "officer-3141")] {
            #expect(
                FileManager.default.createFile(
                    atPath: "\(directory)/\(name)", contents: Data(pin.utf8), attributes: [.posixPermissions: 0o600]))
        }
    }

    /// Runs `body` with a TPM whose token the product's own command has initialised; ends what was started.
    static func with(_ body: (SoftwareTPM) async throws -> Void) async throws {
        let tpm = try await SoftwareTPM()
        do {
            try await tpm.startServices()
            let outcome = try await tpm.privyseald(
                "token", "init", "--module", tpm.module, "--label", label, "--so-pin-file", tpm.directory + "/so-pin",
                "--pin-file", tpm.directory + "/pin")
            try #require(outcome.status == 0, "\(outcome.errors)")
            try await body(tpm)
        } catch {
            await tpm.end()
            throw error
        }
        await tpm.end()
    }

    private func startServices() async throws {
        try startTPM()
        try start("/usr/bin/dbus-daemon", ["--session", "--nofork", "--address=unix:path=\(directory)/bus"])
        for name in ["tpm", "tpm.ctrl", "bus"] {
            try #require(await poll(name) { FileManager.default.fileExists(atPath: "\(self.directory)/\(name)") })
        }
        try await startManager()
    }

    /// Kills the TPM and the resource manager in front of it, without a word to either.
    ///
    /// A TPM counts a loss of power for a wrong PIN: at the third, a token is locked.
    func loseServices() async {
        for name in ["tpm2-abrmd.log", "swtpm.log"] {
            for daemon in daemons where daemon.log.hasSuffix(name) && daemon.process.isRunning { await daemon.end(SIGKILL) }
        }
        for name in ["tpm", "tpm.ctrl"] { try? FileManager.default.removeItem(atPath: "\(directory)/\(name)") }
    }

    /// Starts them again.
    func bringBackServices() async throws {
        try startTPM()
        try #require(await poll("the TPM") { FileManager.default.fileExists(atPath: "\(self.directory)/tpm") })
        try await startManager()
    }

    private func startTPM() throws {
        try start(
            "/usr/bin/swtpm",
            [
                "socket", "--tpm2", "--tpmstate", "dir=\(directory)/state", "--server", "type=unixio,path=\(directory)/tpm",
                "--ctrl", "type=unixio,path=\(directory)/tpm.ctrl", "--flags", "not-need-init,startup-clear",
            ])
    }

    /// Starts the resource manager and waits until the token answers through it.
    private func startManager() async throws {
        var manager: Daemon?
        let answers = await poll("the TPM") {
            // It ends when the bus does not listen yet, or has not noticed yet that the one before has gone.
            if manager?.process.isRunning != true {
                try start("/usr/sbin/tpm2-abrmd", ["--session", "--allow-root", "--tcti", "swtpm:path=\(directory)/tpm"])
                manager = daemons.last
            }
            return try await pkcs11Tool("--list-slots").status == 0
        }
        try #require(answers, "\(daemons.map(\.text))")
    }

    private func start(_ path: String, _ arguments: [String]) throws {
        let log = "\(directory)/\(URL(fileURLWithPath: path).lastPathComponent).log"
        daemons.append(try Daemon(at: path, arguments, log: log, environment: environment))
    }

    /// The last that was started first: nothing is left to talk to what has gone. A child has the signals blocked that its
    /// parent's thread had, SIGTERM among them, and none of these has anything to lose.
    private func end() async {
        for daemon in daemons.reversed() where daemon.process.isRunning { await daemon.end(SIGKILL) }
        try? FileManager.default.removeItem(atPath: directory)
    }

    var environment: [String: String] {
        [
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=\(directory)/bus", "TPM2_PKCS11_TCTI": "tabrmd:bus_type=session",
            "TPM2_PKCS11_STORE": directory + "/store",
            // What its libraries say of an error that is handled would be taken for the agent's words.
            "TSS2_LOG": "all+NONE", "TPM2_PKCS11_LOG_LEVEL": "0",
        ]
    }

    /// - Parameter custody: the members of `token.custody`.
    func writeConfiguration(custody: String? = nil, recoveryInterval: String = "1h") throws {
        let custody = custody.map { ", custody: { \($0) }" } ?? ""
        try """
        socket: { path: \(socket), mode: "0600" }
        token: { uri: "pkcs11:token=\(Self.label)", module: \(module), pinFile: \(directory)/pin\(custody) }
        signing: { callLimit: 60s, deadline: 60s, recoveryInterval: \(recoveryInterval) }
        store: { sqlite: \(directory)/store.db }
        publicBaseURL: https://oidc.example.com

        """.write(toFile: configuration, atomically: true, encoding: .utf8)
    }

    /// Starts the agent, whose store is made for the first time, and waits until it answers.
    func startAgent() async throws -> Daemon {
        if !FileManager.default.fileExists(atPath: directory + "/store.db") {
            let made = try await Programs.run("privyseald", ["init", "--config", configuration], environment: environment)
            _ = try made.output(of: ["privyseald", "init"])
        }
        let daemon = try Daemon(
            "privyseald", configuration: configuration, log: directory + "/privyseald.log", environment: environment)
        daemons.append(daemon)
        let answers = await poll("the agent") {
            guard daemon.process.isRunning else { return true }
            try await self.connected { _ = try await $0.call(VersionParameters()) }
            return true
        }
        try #require(answers && daemon.process.isRunning, "\(daemon.text)")
        return daemon
    }

    func connected<Result>(_ body: (AgentConnection) async throws -> Result) async throws -> Result {
        let connection = try await AgentConnection.connect(socketPath: socket)
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    func privyseald(_ arguments: String...) async throws -> Programs.Outcome {
        try await Programs.run("privyseald", arguments, environment: environment)
    }

    /// The two halves of the agent's audit key.
    static let auditKeyObjects = 2

    /// How many key objects the token holds, public and private, by another program.
    func keyObjects() async throws -> Int {
        let listing = try await pkcs11Tool(
            "--token-label", Self.label, "--login", "--pin", "user-2718", "--list-objects")
        return try listing.output(of: ["pkcs11-tool", "--list-objects"]).split(separator: "\n").count {
            $0.hasPrefix("Private Key Object") || $0.hasPrefix("Public Key Object")
        }
    }

    private func pkcs11Tool(_ arguments: String...) async throws -> Programs.Outcome {
        try await Programs.run(at: "/usr/bin/pkcs11-tool", ["--module", module] + arguments, environment: environment)
    }
}
