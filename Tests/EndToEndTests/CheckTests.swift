import Foundation
import ProcessSupport
import SoftHSMSupport
import TLSSupport
import Testing

@Suite("check")
struct CheckTests {
    private func check(_ site: Installation, _ more: String...) async throws -> Programs.Outcome {
        try await Programs.run("privyseald", ["check", "--config", site.agentConfiguration] + more)
    }

    @Test("says that all is well, and makes nothing", arguments: [[], ["--start"]])
    func nothingMade(more: [String]) async throws {
        try await Installation.with { site in
            let outcome = try await Programs.run("privyseald", ["check", "--config", site.agentConfiguration] + more)
            #expect(outcome.status == 0 && outcome.output.contains("ok: "), "\(outcome.errors)")
            for suffix in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: site.directory + "/store.db" + suffix)
            }
            let before = try FileManager.default.contentsOfDirectory(atPath: site.directory).sorted()
            let without = try await Programs.run("privyseald", ["check", "--config", site.agentConfiguration] + more)
            if more.isEmpty {
                #expect(without.status == 0 && without.output.contains("yet: privyseald init makes one"), "\(without.output)")
            } else {
                #expect(without.status == 78 && without.errors.contains("there is no store"), "\(without.errors)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: site.directory).sorted() == before)
        }
    }

    @Test("judges the file beside a running agent, which goes on; what a start would do it says for nobody else's token")
    func beside() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            #expect(try await check(site).status == 0)
            let start = try await check(site, "--start")
            #expect(start.status == 1 && start.errors.contains("already serves"), "\(start.errors)")
            try site.writeAgentConfiguration(replacing: ["store:": "sotre:"])
            let wrong = try await check(site)
            #expect(wrong.status == 78 && wrong.errors.contains("agent.yaml:3"), "\(wrong.errors)")
            #expect(agent.process.isRunning)
            #expect(try await site.privyseal("version").status == 0)
        }
    }

    @Test("judges the frontend's file beside a running frontend, which a start could not be")
    func frontend() async throws {
        try await Installation.with { site in
            let made = try await TestCertificate.make(in: site.directory)
            try site.writeIssuerConfiguration(tls: made)
            try await site.startFrontend(health: ["--cacert", made.certificate])
            let file = try await Programs.run("privyseal-issuer", ["check", "--config", site.issuerConfiguration])
            #expect(file.status == 0 && file.output.contains("ok: "), "\(file.errors)")
            let start = try await Programs.run("privyseal-issuer", ["check", "--start", "--config", site.issuerConfiguration])
            #expect(start.status == 1 && start.errors.contains("\(site.port)"), "\(start.errors)")
        }
    }

    @Test(
        "judges as the user of the service where root asks, and names what that user cannot use",
        .enabled(if: getuid() == 0, "takes root"))
    func asTheService() async throws {
        try await SoftHSMToken.with { token in
            // Below a directory that everybody may enter.
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("check-\(UUID().uuidString)").path
            let files = FileManager.default
            defer { try? files.removeItem(atPath: directory) }
            func make(_ name: String, mode: Int, owner: Int) throws {
                try files.createDirectory(atPath: "\(directory)/\(name)", withIntermediateDirectories: true)
                try files.setAttributes(
                    [.posixPermissions: mode, .ownerAccountID: owner], ofItemAtPath: "\(directory)/\(name)")
            }
            func own(_ name: String, mode: Int, owner: Int) throws {
                try files.setAttributes(
                    [.posixPermissions: mode, .ownerAccountID: owner], ofItemAtPath: "\(directory)/\(name)")
            }
            let nobody = 65_534
            try make("", mode: 0o755, owner: 0)
            try make("run", mode: 0o755, owner: 0)
            try make("state", mode: 0o700, owner: nobody)
            try files.copyItem(atPath: token.modulePath, toPath: directory + "/module.so")
            try own("module.so", mode: 0o755, owner: 0)
            try "1234".write(toFile: directory + "/pin", atomically: true, encoding: .utf8)
            try own("pin", mode: 0o400, owner: nobody)
            let configuration = directory + "/agent.yaml"
            try """
            socket: { path: \(directory)/run/agent.sock }
            token: { uri: "\(token.tokenURI)", module: \(directory)/module.so, pinFile: \(directory)/pin }
            store: { sqlite: \(directory)/state/store.db }
            publicBaseURL: https://oidc.example.com
            """.write(toFile: configuration, atomically: true, encoding: .utf8)
            try own("agent.yaml", mode: 0o644, owner: 0)
            func check(_ more: String...) async throws -> Programs.Outcome {
                try await Programs.run("privyseald", ["check", "--config", configuration] + more)
            }

            let fine = try await check()
            #expect(fine.status == 0, "\(fine.errors)")
            #expect(fine.output.contains("note: judged as the user nobody\n"), "\(fine.output)")
            #expect(fine.output.contains("note: this user cannot make a socket in \(directory)/run"), "\(fine.output)")
            #expect(try await check("--user", "nobody").status == 0)
            let unknown = try await check("--user", "no-such-user")
            #expect(unknown.status == 1 && unknown.errors.contains("no-such-user"), "\(unknown.errors)")

            try own("pin", mode: 0o400, owner: 0)
            let pin = try await check()
            #expect(pin.status == 1 && pin.errors.contains("\(directory)/pin"), "\(pin.errors)")
            try own("pin", mode: 0o400, owner: nobody)
            try own("agent.yaml", mode: 0o600, owner: 0)
            let file = try await check()
            #expect(file.status == 78 && file.errors.contains("agent.yaml"), "\(file.errors)")
            try own("agent.yaml", mode: 0o644, owner: 0)
            // A store that root's command has made in the agent's directory.
            try Data(repeating: 1, count: 100).write(to: URL(fileURLWithPath: directory + "/state/store.db"))
            try own("state/store.db", mode: 0o600, owner: 0)
            let store = try await check()
            #expect(store.status == 1 && store.errors.contains("belongs to uid 0"), "\(store.errors)")
        }
    }
}
