import AgentProtocol
import Foundation
import ProcessSupport
import SoftHSMSupport
import Testing

@Suite("Starting")
struct StartupTests {
    /// What is wrong, and what start-up says of it.
    struct Fault: Sendable, CustomTestStringConvertible {
        let what: String
        var replacing: [String: String] = [:]
        /// Run in the installation's directory first.
        var preparing: @Sendable (Installation) throws -> Void = { _ in }
        /// Whether it shows without a start.
        var isOfTheFile = true
        let status: Int32
        let naming: [String]

        var testDescription: String { what }
    }

    static let faults: [Fault] = [
        Fault(
            what: "an unknown key", replacing: ["store:": "sotre:"], status: 78, naming: ["agent.yaml:3", "sotre", "\"store\""]),
        Fault(
            what: "a socket path too long", replacing: ["agent.sock": String(repeating: "x", count: 200)], status: 78,
            naming: ["107"]),
        Fault(
            what: "a PIN file that is not there", preparing: { try FileManager.default.removeItem(atPath: $0.token.pinFile) },
            status: 1, naming: ["pin"]),
        Fault(
            what: "a PIN file that others can read",
            preparing: {
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: $0.token.pinFile)
            }, status: 1, naming: ["0644"]),
        Fault(
            what: "an empty PIN file", preparing: { try $0.write(pin: "") }, status: 1, naming: ["is empty"]),
        Fault(
            what: "a PIN of 300 bytes", preparing: { try $0.write(pin: String(repeating: "7", count: 300)) },
            isOfTheFile: false, status: 77,
            naming: ["4 to 255 bytes"]),
        Fault(
            what: "a credential outside a unit", replacing: ["pinFile": "pinCredential"], isOfTheFile: false, status: 1,
            naming: ["CREDENTIALS_DIRECTORY"]),
        Fault(
            what: "two places for the PIN", replacing: ["pinFile": "pinEnvironment: SEAL_PIN, pinFile"], status: 78,
            naming: ["agent.yaml:2", "more than one place"]),
        Fault(
            what: "an attribute that nobody can be let off",
            replacing: ["pinFile": "custody: { acceptUnreported: [CKA_LOCAL, CKA_SENSITIVE] }, pinFile"], status: 78,
            naming: ["agent.yaml:2", "CKA_SENSITIVE", "CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL"]),
        Fault(
            what: "a usage that is none", replacing: ["pinFile": "custody: { acceptUsages: [CKA_DECRIPT] }, pinFile"],
            status: 78, naming: ["agent.yaml:2", "CKA_DECRIPT", "did you mean \"CKA_DECRYPT\"?"]),
        Fault(
            what: "an unknown key of the custody rules",
            replacing: ["pinFile": "custody: { acceptUsage: [CKA_DECRYPT] }, pinFile"], status: 78,
            naming: ["agent.yaml:2", "acceptUsage", "\"acceptUsages\""]),
        Fault(
            what: "a token URI that names an object", replacing: ["pkcs11:token=": "pkcs11:object=key;token="], status: 78,
            naming: ["agent.yaml:2", "object"]),
        Fault(
            what: "a token URI with a PIN in it", replacing: ["privyseal-test": "privyseal-test?pin-value=1234"], status: 78,
            naming: ["agent.yaml:2", "pin-value"]),
        Fault(
            what: "a token URI that is none", replacing: ["pkcs11:token=": "pkcs12:token="], status: 78, naming: ["agent.yaml:2"]),
        Fault(
            what: "a token URI with a blank", replacing: ["pkcs11:token=": "pkcs11:token=My "], status: 78,
            naming: ["agent.yaml:2", "holds white space", "%20"]),
        Fault(
            what: "a token label that is too long", replacing: ["pkcs11:token=": "pkcs11:token=0123456789012345678901234567890"],
            status: 78, naming: ["agent.yaml:2", "has a token of 45 bytes"]),
        Fault(
            what: "a group by a number that is none", replacing: ["mode: \"0600\"": "mode: \"0600\", group: 4294967295"],
            status: 78,
            naming: ["agent.yaml:1", "no number of a group"]),
        Fault(
            what: "a token URI that two tokens match", preparing: { try $0.addToken() }, isOfTheFile: false, status: 1,
            naming: ["2 tokens match", "serial"]),
        Fault(
            what: "a configuration that others can write", preparing: { try $0.set(mode: 0o664, of: $0.agentConfiguration) },
            status: 78, naming: ["agent.yaml", "mode 0664", "chmod go-w"]),
        Fault(
            what: "a module that others can write", preparing: { try $0.set(mode: 0o757, of: $0.token.modulePath) }, status: 1,
            naming: ["libsofthsm2.so has mode 0757", "chmod go-w"]),
        Fault(
            what: "a module that others can replace", replacing: ["/libsofthsm2.so": "/open/libsofthsm2.so"],
            preparing: { site in
                try site.makeDirectory("open", mode: 0o777)
                try FileManager.default.copyItem(
                    atPath: site.token.modulePath, toPath: site.directory + "/open/libsofthsm2.so")
            }, status: 1, naming: ["open has mode 0777", "chmod o-w"]),
        Fault(
            what: "a module that would be searched for", replacing: ["module: /": "module: "], status: 78,
            naming: ["agent.yaml:2", "absolute"]),
        Fault(
            what: "a socket that others can replace", replacing: ["/agent.sock": "/open/agent.sock"],
            preparing: { try $0.makeDirectory("open", mode: 0o770) }, status: 1, naming: ["open has mode 0770", "chmod go-w"]),
        Fault(
            what: "a socket in a directory that everybody may use", replacing: ["/agent.sock": "/shared/agent.sock"],
            preparing: { site in
                try site.makeDirectory("shared", mode: 0o1777)
                // Somebody else's, who would keep the agent from starting for as long as they like.
                try Data().write(to: URL(fileURLWithPath: site.directory + "/shared/agent.sock.lock"))
            }, status: 1, naming: ["shared has mode 1777", "a directory of its own"]),
        Fault(
            what: "a store in a directory that everybody may use", replacing: ["/store.db": "/shared/store.db"],
            preparing: { try $0.makeDirectory("shared", mode: 0o1777) }, status: 1,
            naming: ["shared has mode 1777", "a directory of its own"]),
        Fault(
            what: "a store that others can write",
            preparing: { site in
                try Data().write(to: URL(fileURLWithPath: site.directory + "/store.db"))
                try site.set(mode: 0o666, of: site.directory + "/store.db")
            }, status: 1, naming: ["store.db", "mode 0666", "chmod"]),
        Fault(what: "a module that is not there", replacing: [".so": ".gone"], status: 1, naming: [".gone"]),
        Fault(
            what: "a token that is not there", replacing: ["pkcs11:token=": "pkcs11:token=no-"], isOfTheFile: false, status: 1,
            naming: ["no-"]),
        Fault(
            what: "a store where no file can be", replacing: ["/store.db": "/agent.yaml/store.db"], status: 78,
            naming: ["store"]),
        Fault(
            what: "a store that is none",
            preparing: { site in
                let text = "not a database, but long enough"
                try text.write(toFile: site.directory + "/store.db", atomically: true, encoding: .utf8)
            }, status: 1, naming: ["store.db"]),
        Fault(
            what: "a store that was cut off",
            preparing: { site in
                #expect(FileManager.default.createFile(atPath: site.directory + "/store.db", contents: Data()))
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o600], ofItemAtPath: site.directory + "/store.db")
            }, status: 1, naming: ["store.db", "empty"]),
        Fault(
            what: "a store that everybody can write",
            preparing: { site in
                try "whatever".write(toFile: site.directory + "/store.db", atomically: false, encoding: .utf8)
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o666], ofItemAtPath: site.directory + "/store.db")
            }, status: 1, naming: ["store.db", "0666"]),
        Fault(
            what: "a base URL that is none", replacing: ["http://127": "ftp://127"], status: 78, naming: ["publicBaseURL", "ftp"]),
        Fault(
            what: "a base URL that no client can use", replacing: ["http://127.0.0.1": "http://127.0.0.1/../a:b"], status: 78,
            naming: ["agent.yaml:4:16: the path of publicBaseURL has a segment . or .."]),
    ]

    @Test("the frontend, too, refuses a configuration that others can write", arguments: ["check", "serve"])
    func exposedFrontend(command: String) async throws {
        try await Installation.with { site in
            try site.set(mode: 0o646, of: site.issuerConfiguration)
            let outcome = try await Programs.run("privyseal-issuer", [command, "--config", site.issuerConfiguration])
            #expect(outcome.status == 78)
            #expect(outcome.errors.hasPrefix("error: \(site.issuerConfiguration): mode 0646"), "\(outcome.errors)")
            #expect(outcome.errors.contains("\nhint: chmod go-w"), "\(outcome.errors)")
        }
    }

    @Test("ends with one line of what and one of what to do", arguments: faults)
    func fault(_ fault: Fault) async throws {
        try await Installation.with { site in
            try site.writeAgentConfiguration(replacing: fault.replacing)
            try fault.preparing(site)
            for command in [["check"], ["check", "--start"], ["serve"]] where fault.isOfTheFile || command != ["check"] {
                let outcome = try await Programs.run("privyseald", command + ["--config", site.agentConfiguration])
                #expect(outcome.status == fault.status, "\(command): \(outcome.errors)")
                let lines = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") || $0.hasPrefix("hint: ") }
                #expect(lines.count == 2, "\(command): \(outcome.errors)")
                for name in fault.naming where name != "publicBaseURL" {
                    #expect(outcome.errors.contains(name), "\(command) does not name \(name): \(outcome.errors)")
                }
            }
        }
    }

    @Test("a fault of SoftHSM's own configuration is told from one of the token section, by the agent and by the token commands")
    func softHSM() async throws {
        let library = try #require(
            ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"]
                .first { FileManager.default.fileExists(atPath: $0) })
        try await Installation.with { site in
            try site.writeAgentConfiguration(replacing: [site.token.modulePath: library])
            let (missing, lacking) = (site.directory + "/none.conf", site.directory + "/lacking.conf")
            try "directories.tokendir = \(site.directory)/none\n".write(toFile: lacking, atomically: true, encoding: .utf8)
            for (environment, error, hint) in [
                (["SOFTHSM2_CONF": missing], missing, "SOFTHSM2_CONF"),
                (["SOFTHSM2_CONF": lacking], "\(site.directory)/none", lacking),
                // It depends on the machine whether that configuration can be read.
                ([:], "", "SOFTHSM2_CONF is not set"),
            ] {
                for command in [
                    ["check", "--start", "--config", site.agentConfiguration], ["token", "list", "--module", library],
                ] {
                    // What the machine's own configuration shows is no fault.
                    guard command[0] == "check" || !environment.isEmpty else { continue }
                    let outcome = try await Programs.run("privyseald", command, environment: environment)
                    #expect(outcome.status == 1, "\(command): \(outcome.errors)")
                    #expect(error.isEmpty || outcome.errors.contains(error), "\(command): \(outcome.errors)")
                    #expect(outcome.errors.contains(hint), "\(command): \(outcome.errors)")
                    #expect(!outcome.errors.contains("token section"), "\(command): \(outcome.errors)")
                }
            }
        }
    }

    @Test("a wrong PIN is sent once, and again only when its file has changed")
    func wrongPIN() async throws {
        try await Installation.with { site in
            let right = try String(contentsOfFile: site.token.pinFile, encoding: .utf8)
            func write(_ pin: String) throws {
                try pin.write(toFile: site.token.pinFile, atomically: false, encoding: .utf8)
            }
            try write("definitely-wrong")
            for attempt in 1...5 {
                let outcome = try await Programs.run("privyseald", ["serve", "--config", site.agentConfiguration])
                #expect(outcome.status == 77)
                #expect(outcome.errors.contains("CKR_PIN_INCORRECT"), "\(outcome.errors)")
                #expect(outcome.errors.contains("not sent again") == (attempt > 1), "\(outcome.errors)")
            }
            try write(right)
            let agent = try await site.startAgent()
            #expect(await agent.end() == 0)
        }
    }

    @Test("a store of a newer release is left as it is")
    func newerStore() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            await agent.end()
            let change =
                "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(\"INSERT INTO grdb_migrations VALUES ('later')\"); d.commit()"
            let changed = try await Programs.run(at: "/usr/bin/python3", ["-c", change, site.directory + "/store.db"])
            #expect(changed.status == 0, "\(changed.errors)")
            let outcome = try await Programs.run("privyseald", ["serve", "--config", site.agentConfiguration])
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("newer release"), "\(outcome.errors)")
        }
    }

    @Test("an agent keeps a second one off its store and off its socket, and is named; a stale socket file does not")
    func occupied() async throws {
        try await Installation.with { site in
            let first = try await site.startAgent()
            let holder = "process \(first.process.processIdentifier)"
            let second = try await Programs.run("privyseald", ["serve", "--config", site.agentConfiguration])
            #expect(second.status == 1 && second.errors.contains("store.db is in use"), "\(second.errors)")
            #expect(second.errors.contains(holder), "\(second.errors)")
            try site.writeAgentConfiguration(replacing: [
                "/store.db": "/other.db", "publicBaseURL:": "audit: { path: \(site.directory)/other.log }\npublicBaseURL:",
            ])
            let third = try await Programs.run("privyseald", ["serve", "--config", site.agentConfiguration])
            #expect(third.status == 1 && third.errors.contains("already serves"), "\(third.errors)")
            #expect(third.errors.contains(holder), "\(third.errors)")
            try site.writeAgentConfiguration()
            #expect(try await site.privyseal("version").status == 0, "the first one goes on")
            await first.end(SIGKILL)
            #expect(FileManager.default.fileExists(atPath: site.socket))
            try await site.startAgent()
        }
    }

    @Test("the client's exit codes are those it documents")
    func exitCodes() async throws {
        try await Installation.with { site in
            #expect(try await site.privyseal("issuer", "list").status == 3)
            try await site.startAgent()
            #expect(try await site.privyseal("issuer", "list").status == 0)
            #expect(try await site.privyseal("issuer", "frobnicate").status == 2)
            let unknown = try await site.privyseal("issuer", "show", "nobody")
            #expect(unknown.status == 1)
            #expect(unknown.errors.hasPrefix("error: ") && unknown.errors.contains("\nhint: "))
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            let refused = try await site.privyseal("rotate", "demo")
            #expect(refused.status == 1 && refused.errors.contains("--yes"), "without a terminal nobody can be asked")
            #expect(try await site.privyseal("jwt", "verify", "not.a.jwt").status == 4)
            #expect(
                try await site.output("call", "version", "--query", "protocolVersion", "-o", "tsv") == ProtocolVersion.current)
        }
    }
}

extension Installation {
    /// Sets the mode of a file.
    func set(mode: Int, of path: String) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    /// Makes a directory in the installation's own, of that mode whatever the umask.
    func makeDirectory(_ name: String, mode: Int) throws {
        let path = directory + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        try set(mode: mode, of: path)
    }
}
