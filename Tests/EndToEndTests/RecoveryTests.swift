import AgentClient
import AgentProtocol
import Foundation
import ProcessSupport
import RelyingParty
import SoftHSMSupport
import Testing

@Suite("The worst day")
struct RecoveryTests {
    private func kid(_ site: Installation, _ member: String = "activeKid") async throws -> String {
        try await site.output("issuer", "show", "demo", "--query", member, "-o", "tsv")
    }

    private func issue(_ site: Installation) async throws -> String {
        try await site.output("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
    }

    /// What a relying party makes of a JWT by the keys the agent publishes.
    private func verifies(_ jwt: String, _ site: Installation) async throws -> Bool {
        let client = try await site.connect()
        let documents = try await client.call(GetDiscoveryParameters(issuer: "demo"))
        await client.close()
        let verifier = try await JWTVerifier(keySet: Array(documents.jwks.body.utf8))
        return (try? verifier.verify(jwt, now: Date().timeIntervalSince1970)) != nil
    }

    private func standbyKeys(_ site: Installation) async throws -> String {
        try await kid(site, "keyCounts.standby")
    }

    private func create(_ site: Installation) async throws {
        _ = try await site.output("issuer", "create", "demo", "--enable-oidc-issuer", "--algorithm", "ES256")
        #expect(await poll("the standby key") { try await standbyKeys(site) == "1" })
    }

    private func rotate(_ site: Installation) async throws {
        _ = try await site.output("rotate", "demo", "--yes")
        #expect(await poll("the standby key") { try await standbyKeys(site) == "1" })
    }

    private func removeStore(_ site: Installation) throws {
        for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: site.directory + "/store.db" + suffix) {
            try FileManager.default.removeItem(atPath: site.directory + "/store.db" + suffix)
        }
    }

    @Test("a restored backup waits for an operator, frontends serve on, and the named key comes back")
    func restoredBackup() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            try await site.startFrontend()
            try await create(site)
            let backup = site.directory + "/backup.db"
            #expect(try await site.privyseald("backup", "--to", backup).status == 0)
            let again = try await site.privyseald("backup", "--to", backup)
            #expect(again.status == 1 && again.errors.contains("replaces nothing"), "\(again.errors)")
            try await rotate(site)
            let last = try await kid(site)
            let jwt = try await issue(site)
            let url = try await kid(site, "oidcIssuerProfile.issuerUrl")
            #expect(await poll("the documents") { try await site.get(url + "openid/v1/jwks").body.contains(last) })
            #expect(await agent.end() == 0)

            try removeStore(site)
            try FileManager.default.copyItem(atPath: backup, toPath: site.directory + "/store.db")
            let restored = try await site.startAgent()
            let refused = try await site.privyseal("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
            #expect(refused.status == 1 && refused.errors.contains("quarantine"), "\(refused.errors)")
            #expect(refused.errors.contains("hint: ") && refused.errors.contains("privyseald recover --restored"))
            let health = try await site.privyseal("health", "-o", "json")
            #expect(health.status == 0 && health.output.contains("degraded") && health.errors.contains("demo"))
            #expect(try await site.get(url + "openid/v1/jwks").body.contains(last), "the frontend serves on")
            #expect(await poll("a ready frontend") { try await site.get("/readyz").status == 200 })
            let report = try await site.output("reconcile", "--dry-run")
            #expect(report.contains("unknown: ") && report.contains("copy made at"), "\(report)")

            let busy = try await site.privyseald("recover", "--restored", "--retain", last, "--yes")
            #expect(busy.status == 1 && busy.errors.contains("process \(restored.process.processIdentifier)"), "\(busy.errors)")
            let plan = try await site.privyseald("recover", "--restored", "--retain", last, "--dry-run")
            #expect(plan.status == 0 && plan.output.contains("\(last) (ES256) comes back"), "\(plan.output)\(plan.errors)")
            #expect(await restored.end() == 0)
            let unasked = try await site.privyseald("recover", "--restored", "--retain", last)
            #expect(unasked.status == 1 && unasked.errors.contains("--yes"), "\(unasked.errors)")
            let done = try await site.privyseald("recover", "--restored", "--retain", last, "--yes")
            #expect(done.status == 0, "\(done.output)\(done.errors)")

            try await site.startAgent()
            #expect(try await kid(site) != last)
            #expect(try await verifies(jwt, site))
            #expect(try await verifies(issue(site), site))
            let active = try await kid(site)
            #expect(await poll("the new documents") { try await site.get(url + "openid/v1/jwks").body.contains(active) })
            #expect(await poll("order") { try await site.output("health", "--query", "status", "-o", "tsv") == "ok" })
        }
    }

    @Test("a restored backup that differs in nothing is accepted with one command")
    func sameBackup() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            try await create(site)
            let active = try await kid(site)
            #expect(try await site.privyseald("backup", "--to", site.directory + "/backup.db").status == 0)
            #expect(await agent.end() == 0)
            try removeStore(site)
            try FileManager.default.copyItem(atPath: site.directory + "/backup.db", toPath: site.directory + "/store.db")
            let accepted = try await site.privyseald("recover", "--restored", "--yes")
            #expect(accepted.status == 0 && accepted.output.contains("agree about every key"), "\(accepted.output)")
            try await site.startAgent()
            #expect(try await kid(site) == active)
            #expect(try await verifies(issue(site), site))
        }
    }

    @Test("a lost store is rebuilt from the token: URL and named key come back, and old JWTs verify")
    func lostStore() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            try await create(site)
            try await rotate(site)
            let last = try await kid(site)
            let url = try await kid(site, "oidcIssuerProfile.issuerUrl")
            let jwt = try await issue(site)
            let kept = try await site.privyseald("recover", "--from-token", "--dry-run")
            #expect(kept.status == 1 && kept.errors.contains("it is not lost"), "\(kept.errors)")
            #expect(await agent.end() == 0)
            try removeStore(site)

            // Somebody makes a new one without knowing better.
            #expect(try await site.privyseald("init", "--share-token").status == 0)
            let empty = try await site.startAgent()
            #expect(
                await poll("what health says") {
                    try await site.privyseal("health").errors.contains("privyseald recover --from-token")
                })
            #expect(await empty.end() == 0)

            let plan = try await site.privyseald("recover", "--from-token", "--dry-run")
            #expect(plan.status == 0 && plan.output.contains("issuer demo, made anew"), "\(plan.output)\(plan.errors)")
            let wrong = try await site.privyseald("recover", "--from-token", "--retain", "nonsense", "--yes")
            #expect(wrong.status == 1 && wrong.errors.contains(last), "it names those that can: \(wrong.errors)")
            let done = try await site.privyseald(
                "recover", "--from-token", "--retain", last, "--issuer-url", "demo=\(url)", "--yes")
            #expect(done.status == 0, "\(done.output)\(done.errors)")

            try await site.startAgent()
            #expect(try await kid(site, "oidcIssuerProfile.issuerUrl") == url)
            #expect(try await verifies(jwt, site))
            #expect(try await verifies(issue(site), site))
            let report = try await site.output("reconcile", "--dry-run")
            #expect(report.contains("quarantined: ") && !report.contains("unknown: "), "\(report)")
            for name in report.split(separator: "\n").filter({ $0.hasPrefix("quarantined: ") }) {
                let kid = try #require(name.split(separator: " ").last.map(String.init))
                _ = try await site.output("keys", "revoke", kid, "--yes")
            }
            #expect(await poll("their end") { try await !site.output("reconcile", "--dry-run").contains("quarantined: ") })
        }
    }

    @Test("issuers move to a new token when theirs is gone, and what was signed goes on verifying")
    func lostToken() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            try await create(site)
            let last = try await kid(site)
            let jwt = try await issue(site)
            let beside = try await site.privyseald("replace-token", "--yes")
            #expect(beside.status == 1 && beside.errors.contains("is in use"), "\(beside.errors)")
            #expect(await agent.end() == 0)
            let here = try await site.privyseald("replace-token", "--yes")
            #expect(here.status == 1 && here.errors.contains("it is not lost"), "\(here.errors)")

            try await SoftHSMToken.with { new in
                try site.writeAgentConfiguration(replacing: [
                    site.token.modulePath: new.modulePath, site.token.pinFile: new.pinFile,
                ])
                let wrong = try await site.startAgent()
                #expect(
                    await poll("what health says") {
                        let health = try await site.privyseal("health")
                        return health.errors.contains("none of the keys") && health.errors.contains("replace-token")
                    })
                #expect(await wrong.end() == 0)
                let plan = try await site.privyseald("replace-token", "--dry-run")
                #expect(plan.output.contains("\(last), active, goes on being published"), "\(plan.output)\(plan.errors)")
                let done = try await site.privyseald("replace-token", "--yes")
                #expect(done.status == 0, "\(done.output)\(done.errors)")
                let recorded = try await Programs.run(
                    "privyseald", ["audit", "tail", "-n", "2", site.directory + "/audit.log"])
                #expect(recorded.output.split(separator: "\n").allSatisfy { $0.contains("replace-token") }, "\(recorded.output)")
                let again = try await site.startAgent()
                #expect(try await verifies(jwt, site))
                #expect(try await verifies(issue(site), site))
                #expect(try await kid(site) != last)
                #expect(await poll("order") { try await site.output("health", "--query", "status", "-o", "tsv") == "ok" })
                #expect(await again.end() == 0)
            }
        }
    }

    @Test("reconciling beside a running agent is a dry run only, and two agents do not share a store")
    func beside() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            try await create(site)
            let pid = agent.process.processIdentifier
            let dry = try await site.privyseald("reconcile", "--dry-run")
            #expect(dry.status == 0 && dry.output.contains("shows keys of the store"), "\(dry.errors)")
            let real = try await site.privyseald("reconcile")
            #expect(real.status == 1 && real.errors.contains("process \(pid)"), "\(real.errors)")
            #expect(try await site.privyseal("reconcile").output.contains("nothing had to be done"))

            // Another socket, the same store under another name.
            try FileManager.default.createSymbolicLink(
                atPath: site.directory + "/alias.db", withDestinationPath: site.directory + "/store.db")
            try site.writeAgentConfiguration(replacing: ["agent.sock": "second.sock", "/store.db": "/alias.db"])
            let second = try await site.privyseald("serve")
            #expect(second.status == 1 && second.errors.contains("process \(pid)"), "\(second.errors)")
            // Another store, the same socket.
            try site.writeAgentConfiguration(replacing: [
                "/store.db": "/other.db", "publicBaseURL:": "audit: { path: \(site.directory)/other.log }\npublicBaseURL:",
            ])
            let third = try await site.privyseald("serve")
            #expect(third.status == 1 && third.errors.contains("already serves"), "\(third.errors)")
            #expect(third.errors.contains("process \(pid)"), "\(third.errors)")
            try site.writeAgentConfiguration()
            #expect(await agent.end() == 0)
            let offline = try await site.privyseald("reconcile")
            #expect(offline.status == 0 && offline.output.contains("nothing had to be done"), "\(offline.errors)")
        }
    }

    @Test(
        "a full disk fails changes as a whole, signing goes on, and there is nothing to clean up after",
        .enabled(if: Tmpfs.isPossible))
    func fullDisk() async throws {
        try await Installation.with { site in
            let disk = try await Tmpfs(at: site.directory + "/disk", size: "600k")
            do {
                try site.writeAgentConfiguration(replacing: ["/store.db": "/disk/store.db"])
                let agent = try await site.startAgent()
                try await create(site)
                try disk.fill()
                var refusal = ""
                for number in 1...100 where refusal.isEmpty {
                    let outcome = try await site.privyseal("issuer", "create", "i\(number)", "--algorithm", "ES256")
                    if outcome.status != 0 { refusal = outcome.errors }
                }
                #expect(refusal.contains("store"), "\(refusal)")
                // The audit log is on the machine's own disk, which may be slow just then.
                #expect(await poll("a signature") { try await verifies(issue(site), site) })
                try disk.makeRoom()
                #expect(
                    await poll("a change") {
                        try await site.privyseal("issuer", "create", "room", "--algorithm", "ES256").status == 0
                    })
                #expect(await poll("order") { try await site.output("health", "--query", "status", "-o", "tsv") == "ok" })
                let report = try await site.output("reconcile", "--dry-run")
                #expect(!report.contains("unknown: ") && !report.contains("to do: "), "\(report)")
                #expect(await agent.end() == 0)
            } catch {
                await disk.unmount()
                throw error
            }
            await disk.unmount()
        }
    }
}

/// A small file system of a test's own.
struct Tmpfs {
    let path: String

    static var isPossible: Bool { geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/mount") }

    init(at path: String, size: String) async throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        try await self.init(over: path, size: size)
    }

    /// Mounts it over a directory that is there.
    init(over path: String, size: String) async throws {
        self.path = path
        try #require(await Self.run("/usr/bin/mount", ["-t", "tmpfs", "-o", "size=\(size),mode=0700", "tmpfs", path]) == 0)
    }

    private var filler: String { path + "/filler" }

    /// Writes until there is no room.
    func fill() throws {
        try Data().write(to: URL(fileURLWithPath: filler))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: filler))
        while (try? file.write(contentsOf: Data(repeating: 0, count: 4_096))) != nil {}
        try? file.close()
    }

    /// Writes until there is no room, and gives so many bytes back.
    func fill(leaving bytes: UInt64) throws {
        try fill()
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: filler))
        try file.truncate(atOffset: file.seekToEnd() - bytes)
        try file.close()
    }

    func makeRoom() throws {
        try FileManager.default.removeItem(atPath: filler)
    }

    func unmount() async {
        _ = await Self.run("/usr/bin/umount", ["-l", path])
    }

    private static func run(_ program: String, _ arguments: [String]) async -> Int32 {
        guard let process = try? ChildProcess(program, arguments) else { return -1 }
        return await process.status
    }
}
