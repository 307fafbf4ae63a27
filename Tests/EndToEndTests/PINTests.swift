import FaultyTokenSupport
import Foundation
import PKCS11
import ProcessSupport
import SoftHSMSupport
import Testing

@Suite("Where the PIN comes from")
struct PINTests {
    @Test("a PIN file with a line end is taken", arguments: ["\n", "\r\n"])
    func lineEnd(end: String) async throws {
        try await Installation.with { site in
            let pin = try String(contentsOfFile: site.token.pinFile, encoding: .utf8)
            try site.write(pin: pin + end)
            let outcome = try await Programs.run("privyseald", ["check", "--start", "--config", site.agentConfiguration])
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
    }

    @Test("a credential of the unit is taken, and one that was refused only after somebody has said that it was corrected")
    func credential() async throws {
        try await Installation.with { site in
            let right = try String(contentsOfFile: site.token.pinFile, encoding: .utf8)
            try site.writeAgentConfiguration(replacing: ["pinFile: \(site.token.pinFile)": "pinCredential: pin"])
            let credentials = site.directory + "/credentials"
            try FileManager.default.createDirectory(atPath: credentials, withIntermediateDirectories: true)
            func start(_ pin: String) async throws -> Programs.Outcome {
                // systemd makes the file anew at each start.
                try? FileManager.default.removeItem(atPath: credentials + "/pin")
                try pin.write(toFile: credentials + "/pin", atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: credentials + "/pin")
                return try await Programs.run(
                    "privyseald", ["reconcile", "--config", site.agentConfiguration],
                    environment: ["CREDENTIALS_DIRECTORY": credentials])
            }
            #expect(try await start(right).status == 0)
            #expect(try await start("definitely-wrong").status == 77)
            let again = try await start(right)
            #expect(again.status == 77 && again.errors.contains("pin-corrected"), "\(again.errors)")
            let corrected = try await Programs.run(
                "privyseald", ["token", "pin-corrected", "--config", site.agentConfiguration])
            #expect(corrected.status == 0, "\(corrected.errors)")
            let outcome = try await start(right)
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
    }

    @Test("a PIN that the token refused is not sent again by init either, however often it is started")
    func initialisation() async throws {
        try await Installation.with { site in
            for suffix in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: site.directory + "/store.db" + suffix)
            }
            let right = try String(contentsOfFile: site.token.pinFile, encoding: .utf8)
            func initialise(_ pin: String?) async throws -> Programs.Outcome {
                if let pin {
                    try pin.write(toFile: site.token.pinFile, atomically: true, encoding: .utf8)
                    try site.set(mode: 0o600, of: site.token.pinFile)
                }
                return try await site.privyseald("init")
            }
            #expect(try await initialise("definitely-wrong").status == 77)
            for _ in 1...3 {
                let again = try await initialise(nil)
                #expect(again.status == 77 && again.errors.contains("not sent again"), "\(again.errors)")
            }
            let made = try await initialise(right)
            #expect(made.status == 0, "\(made.errors)")
            #expect(!FileManager.default.fileExists(atPath: site.directory + "/store.db.refused-pin"))
        }
    }

    @Test("an environment variable is taken, and is not there any more afterwards")
    func environment() async throws {
        try await SoftHSMToken.with { token in
            let pin = String(decoding: token.userPIN, as: UTF8.self)
            try await Installation(token, agentEnvironment: ["SEAL_PIN": pin]).run { site in
                try site.writeAgentConfiguration(replacing: ["pinFile: \(token.pinFile)": "pinEnvironment: SEAL_PIN"])
                let agent = try await site.startAgent()
                let process = "/proc/\(agent.process.processIdentifier)"
                let environment = try Data(contentsOf: URL(fileURLWithPath: process + "/environ"))
                #expect(!environment.isEmpty)
                #expect(environment.range(of: Data(pin.utf8)) == nil)
                #expect(await agent.end() == 0)

                let without = try await Programs.run("privyseald", ["serve", "--config", site.agentConfiguration])
                #expect(without.status == 1 && without.errors.contains("SEAL_PIN is not set"), "\(without.errors)")
            }
        }
    }

    @Test("a PIN that nobody has proven is not sent to a token with one try left")
    func lastTry() async throws {
        try await Installation.withFaultyToken { site, token in
            try token.set("C_GetTokenInfo flags=CKF_USER_PIN_COUNT_LOW|CKF_USER_PIN_FINAL_TRY")
            let outcome = try await Programs.run("privyseald", ["serve", "--config", site.agentConfiguration])
            #expect(outcome.status == 77 && outcome.errors.contains("one try left"), "\(outcome.errors)")
            #expect(try token.count("C_Login") == 0)
            try token.clear()
            let agent = try await site.startAgent()
            #expect(await agent.end() == 0)
        }
    }
}

extension Installation {
    /// Overwrites the PIN file.
    func write(pin: String) throws {
        try pin.write(toFile: token.pinFile, atomically: false, encoding: .utf8)
    }

    /// Makes one more token of the same name.
    func addToken() throws {
        _ = try token.module()
        try token.addToken(label: token.label)
        try token.module().finalize()
    }
}
