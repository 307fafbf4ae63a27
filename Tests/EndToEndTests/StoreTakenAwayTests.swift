import Foundation
import ProcessSupport
import SoftHSMSupport
import Testing

@Suite("A store that is taken away while the agent runs")
struct StoreTakenAwayTests {
    /// What is done to a store under the agent, and what an operator has to do before it can be written anew.
    struct Harm: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// In the directory of the store.
        let inflict: @Sendable (String) throws -> Void
        var clear: @Sendable (String) throws -> Void = { _ in }
    }

    private static let files = FileManager.default

    private static func moveAway(_ directory: String) throws {
        try files.createDirectory(atPath: directory + "/aside", withIntermediateDirectories: false)
        for name in ["store.db", "store.db-wal", "store.db-shm"] where files.fileExists(atPath: "\(directory)/\(name)") {
            try files.moveItem(atPath: "\(directory)/\(name)", toPath: "\(directory)/aside/\(name)")
        }
    }

    static let harms: [Harm] = [
        Harm(testDescription: "removed") { directory in
            for suffix in ["", "-wal", "-shm"] { try files.removeItem(atPath: "\(directory)/store.db\(suffix)") }
        },
        Harm(
            testDescription: "removed, its log left",
            inflict: { try files.removeItem(atPath: $0 + "/store.db") }, clear: moveAway),
        Harm(
            testDescription: "renamed", inflict: { try files.moveItem(atPath: $0 + "/store.db", toPath: $0 + "/old.db") },
            clear: moveAway),
        Harm(
            testDescription: "replaced by a copy",
            inflict: { directory in
                try files.copyItem(atPath: directory + "/store.db", toPath: directory + "/copy.db")
                try files.removeItem(atPath: directory + "/store.db")
                try files.moveItem(atPath: directory + "/copy.db", toPath: directory + "/store.db")
            }, clear: moveAway),
        Harm(
            testDescription: "without its write-ahead log", inflict: { try files.removeItem(atPath: $0 + "/store.db-wal") },
            clear: moveAway),
        Harm(
            testDescription: "without its shared memory", inflict: { try files.removeItem(atPath: $0 + "/store.db-shm") },
            clear: moveAway),
        Harm(
            testDescription: "gone with its directory",
            inflict: { try files.moveItem(atPath: $0, toPath: $0 + ".gone") },
            clear: { directory in
                try files.createDirectory(
                    atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            }),
    ]

    /// An installation whose store is in a directory of its own, with an agent and an issuer.
    private func withStore(_ body: (Installation, _ directory: String) async throws -> Void) async throws {
        try await Installation.with { site in
            try site.makeDirectory("store", mode: 0o700)
            try site.writeAgentConfiguration(replacing: [
                "/store.db": "/store/store.db", "publicBaseURL:": "audit: { path: \(site.directory)/audit.log }\npublicBaseURL:",
            ])
            try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            #expect(await poll("the standby key") { try await standbyKeys(site) == "1" })
            try await body(site, site.directory + "/store")
        }
    }

    private func standbyKeys(_ site: Installation) async throws -> String {
        try await site.output("issuer", "show", "demo", "--query", "keyCounts.standby", "-o", "tsv")
    }

    private func storeState(_ site: Installation) async throws -> String {
        try await site.output("health", "--query", "store.state", "-o", "tsv")
    }

    private func sign(_ site: Installation) async throws -> Int32 {
        try await site.privyseal("jwt", "issue", "demo", "--subject", "me", "--audience", "api").status
    }

    private func create(_ name: String, _ site: Installation) async throws -> Programs.Outcome {
        try await site.privyseal("issuer", "create", name, "--algorithm", "ES256")
    }

    @Test(
        "is noticed: changes are refused, signing goes on, and what the agent knows is written anew without a restart",
        arguments: harms)
    func harm(_ harm: Harm) async throws {
        try await withStore { site, directory in
            try harm.inflict(directory)
            // Before anybody has looked: a commit asks by itself.
            let refused = try await create("early", site)
            #expect(refused.status == 1 && refused.errors.contains("while it was in use"), "\(refused.errors)")
            #expect(refused.errors.contains("hint: ") && refused.errors.contains("privyseal store save"), "\(refused.errors)")
            let rotated = try await site.privyseal("rotate", "demo", "--yes")
            #expect(rotated.status == 1 && rotated.errors.contains("while it was in use"), "\(rotated.errors)")
            #expect(try await sign(site) == 0)
            let health = try await site.privyseal("health")
            #expect(health.status == 0 && health.errors.contains("store: "), "\(health.errors)")
            #expect(health.errors.contains("privyseal store save"), "\(health.errors)")

            try harm.clear(directory)
            let saved = try await site.privyseal("store", "save")
            #expect(saved.status == 0 && saved.output == "wrote the store to \(directory)/store.db\n", "\(saved.errors)")
            // The key that was made for an issuer that could not be is destroyed at the next look.
            #expect(await poll("order") { try await site.output("health", "--query", "status", "-o", "tsv") == "ok" })
            #expect(try await create("late", site).status == 0)
            #expect(try await site.output("rotate", "demo", "--yes").isEmpty == false)
            let active = try await site.output("issuer", "show", "demo", "--query", "activeKid", "-o", "tsv")
            let again = try await site.privyseal("store", "save")
            #expect(again.status == 0 && again.output.contains("nothing was done"), "\(again.errors)")

            try await site.restartAgent()
            #expect(try await site.output("issuer", "list", "--query", "issuers.1.name", "-o", "tsv") == "late")
            #expect(try await site.output("issuer", "show", "demo", "--query", "activeKid", "-o", "tsv") == active)
            #expect(try await sign(site) == 0)
            #expect(try await site.output("health", "--query", "status", "-o", "tsv") == "ok")
            let audit = try String(contentsOfFile: site.directory + "/audit.log", encoding: .utf8)
            #expect(audit.contains("\"store-save\""))
        }
    }

    @Test("is noticed within seconds also when nobody changes anything, and is all right again once it is put back")
    func putBack() async throws {
        try await withStore { site, directory in
            try FileManager.default.moveItem(atPath: directory, toPath: directory + ".moved")
            #expect(await poll("health that says so") { try await storeState(site) == "unavailable" })
            #expect(try await sign(site) == 0)
            try FileManager.default.moveItem(atPath: directory + ".moved", toPath: directory)
            #expect(await poll("health") { try await storeState(site) == "ok" })
            #expect(try await create("other", site).status == 0)
        }
    }

    @Test("by a file system that is mounted over it is noticed as well", .enabled(if: Tmpfs.isPossible))
    func mountedOver() async throws {
        try await withStore { site, directory in
            let disk = try await Tmpfs(over: directory, size: "4m")
            do {
                let refused = try await create("early", site)
                #expect(refused.status == 1 && refused.errors.contains("while it was in use"), "\(refused.errors)")
                #expect(try await sign(site) == 0)
                #expect(try await site.output("store", "save").contains(directory))
                #expect(try await create("late", site).status == 0)
                await disk.unmount()
                // What is there now is not what is in use any more.
                #expect(await poll("health that says so") { try await storeState(site) == "unavailable" })
            } catch {
                await disk.unmount()
                throw error
            }
        }
    }

    @Test("is written over nothing: what is in the way is named and kept")
    func inTheWay() async throws {
        try await withStore { site, directory in
            try Self.moveAway(directory)
            let another = Data("somebody's".utf8)
            try another.write(to: URL(fileURLWithPath: directory + "/store.db-wal"))
            let refused = try await site.privyseal("store", "save")
            #expect(refused.status == 1 && refused.errors.contains("store.db-wal is in the way"), "\(refused.errors)")
            #expect(try Data(contentsOf: URL(fileURLWithPath: directory + "/store.db-wal")) == another)
            #expect(!FileManager.default.fileExists(atPath: directory + "/store.db"))
            #expect(try await storeState(site) == "unavailable")
        }
    }

    @Test(
        "is not half made on a disk that is nearly full, nor taken for damaged there", .enabled(if: Tmpfs.isPossible))
    func nearlyFull() async throws {
        try await Installation.with { site in
            let disk = try await Tmpfs(at: site.directory + "/disk", size: "2m")
            do {
                try site.writeAgentConfiguration(replacing: [
                    "/store.db": "/disk/store.db",
                    "publicBaseURL:": "audit: { path: \(site.directory)/audit.log }\npublicBaseURL:",
                ])
                for room in stride(from: 20, through: 300, by: 40) as StrideThrough<UInt64> {
                    try disk.fill(leaving: room * 1_024)
                    let agent = try site.launchAgent()
                    let ended = await poll("its end, or an answer") {
                        if !agent.process.isRunning { return true }
                        return try await site.privyseal("version").status == 0
                    }
                    #expect(ended && !agent.text.contains("damaged"), "\(room) KiB: \(agent.text)")
                    if agent.process.isRunning { await agent.end() }
                    try disk.makeRoom()
                }
                try await site.startAgent()
                #expect(try await create("demo", site).status == 0)
            } catch {
                await disk.unmount()
                throw error
            }
            await disk.unmount()
        }
    }

    @Test("its lock is made again when somebody removes it, so that no second agent gets the store")
    func lock() async throws {
        try await withStore { site, directory in
            let agent = try #require(site.agent)
            try FileManager.default.removeItem(atPath: directory + "/store.db.lock")
            #expect(await poll("the lock") { FileManager.default.fileExists(atPath: directory + "/store.db.lock") })
            try site.writeAgentConfiguration(replacing: [
                "/store.db": "/store/store.db", "agent.sock": "second.sock",
                "publicBaseURL:": "audit: { path: \(site.directory)/second.log }\npublicBaseURL:",
            ])
            let second = try await site.privyseald("serve")
            #expect(
                second.status == 1 && second.errors.contains("process \(agent.process.processIdentifier)"), "\(second.errors)")
        }
    }
}
