import Foundation
import ProcessSupport
import SoftHSMSupport
import Testing

@Suite("Two agents on one token")
struct TwoAgentsTests {
    /// A second agent with a socket, an audit log and a store of its own.
    private struct Second {
        let site: Installation
        var socket: String { site.directory + "/second.sock" }
        var store: String { site.directory + "/second/store.db" }

        init(_ site: Installation) throws {
            self.site = site
            try site.makeDirectory("second", mode: 0o700)
        }

        /// As somebody does who copies a directory without asking.
        func copyStore() throws {
            for suffix in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: store + suffix)
                try FileManager.default.copyItem(atPath: site.directory + "/store.db" + suffix, toPath: store + suffix)
            }
        }

        func start() async throws -> Daemon {
            try site.writeAgentConfiguration(replacing: [
                "agent.sock": "second.sock", "/store.db": "/second/store.db",
                "publicBaseURL:": "audit: { path: \(site.directory)/second.log }\npublicBaseURL:",
            ])
            let daemon = try site.launchAgent()
            #expect(await site.agentAnswers(on: socket), "\(daemon.text)")
            try site.writeAgentConfiguration()
            return daemon
        }

        func privyseal(_ arguments: String...) async throws -> Programs.Outcome {
            try await Programs.run("privyseal", arguments, environment: ["PRIVYSEAL_SOCKET": socket])
        }

        func issue() async throws -> Programs.Outcome {
            try await privyseal("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
        }
    }

    private func issue(_ site: Installation) async throws -> Programs.Outcome {
        try await site.privyseal("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
    }

    private func create(_ site: Installation) async throws {
        _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
        #expect(
            await poll("the standby key") {
                try await site.output("issuer", "show", "demo", "--query", "keyCounts.standby", "-o", "tsv") == "1"
            })
    }

    private static let other = "another agent of this deployment"
    private static let accept = #"{"acceptToken":true}"#

    @Test("with a raw copy of the store: both notice, the one that came later signs and changes nothing until it is told")
    func rawCopy() async throws {
        try await Installation.with { site in
            let first = try await site.startAgent()
            try await create(site)
            let second = try Second(site)
            try second.copyStore()
            var copy = try await second.start()
            let (firstPID, copyPID) = (first.process.processIdentifier, copy.process.processIdentifier)

            #expect(await poll("the first one's health") { try await site.privyseal("health").errors.contains(Self.other) })
            let named = try await site.privyseal("health")
            #expect(named.status == 0 && named.errors.contains("process \(copyPID) "), "\(named.errors)")
            #expect(await poll("the second one's refusal") { try await second.issue().status == 1 })
            let refused = try await second.issue()
            #expect(refused.errors.contains("quarantine") && refused.errors.contains("process \(firstPID) "), "\(refused.errors)")
            #expect(refused.errors.contains("hint: ") && refused.errors.contains("acceptToken"), "\(refused.errors)")
            #expect(try await second.privyseal("rotate", "demo", "--yes").status == 1)
            #expect(try await second.privyseal("health").status == 1)
            #expect(copy.text.contains(Self.other) && first.text.contains(Self.other))
            #expect(try await issue(site).status == 0, "the first one goes on")
            #expect(try await site.privyseal("issuer", "update", "demo", "--lifetime", "20m").status == 0)

            // Neither a restart nor a word that is not true helps.
            await copy.end(SIGKILL)
            copy = try await second.start()
            #expect(try await second.issue().status == 1)
            #expect(try await second.privyseal("call", "reload", Self.accept).status == 0)
            #expect(await poll("the second one's refusal again") { try await second.issue().status == 1 })

            // The first one has been stopped: the second one may take over, and the first one not come back unasked.
            #expect(await first.end() == 0)
            #expect(try await second.privyseal("call", "reload", Self.accept).status == 0)
            #expect(try await second.privyseal("health").errors.contains(Self.other) == false)
            #expect(try await second.issue().status == 0)
            #expect(await copy.end() == 0)
            try await site.startAgent()
            let back = try await issue(site)
            #expect(back.status == 1 && back.errors.contains(Self.other), "\(back.errors)")
        }
    }

    @Test("of two deployments: neither minds the other")
    func twoDeployments() async throws {
        try await Installation.with { site in
            try await site.startAgent()
            try await create(site)
            let second = try Second(site)
            let another = try await second.start()
            #expect(try await second.privyseal("issuer", "create", "demo", "--algorithm", "ES256").status == 0)
            try await site.restartAgent()
            await another.end(SIGKILL)
            _ = try await second.start()
            for _ in 1...10 {
                for health in [try await site.privyseal("health"), try await second.privyseal("health")] {
                    #expect(health.status == 0 && !health.errors.contains(Self.other), "\(health.errors)")
                }
                try await Task.sleep(for: .milliseconds(300))
            }
            #expect(try await issue(site).status == 0)
            #expect(try await second.issue().status == 0)
        }
    }

    @Test("one after the other on the same store, killed in between, is one agent")
    func restarts() async throws {
        try await Installation.with { site in
            var agent = try await site.startAgent()
            try await create(site)
            for _ in 1...3 {
                await agent.end(SIGKILL)
                try site.token.mend()
                agent = try await site.startAgent()
                #expect(try await issue(site).status == 0)
            }
            #expect(await poll("health") { try await site.output("health", "--query", "status", "-o", "tsv") == "ok" })
        }
    }

    @Test("an older state of the store, put back, does nothing before an operator has decided about it")
    func snapshot() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            try await create(site)
            #expect(await agent.end() == 0)
            let files = FileManager.default
            try files.copyItem(atPath: site.directory + "/store.db", toPath: site.directory + "/snapshot.db")
            let later = try await site.startAgent()
            // It answers before it has left its note on the token.
            #expect(try await issue(site).status == 0)
            #expect(await later.end() == 0)
            try files.removeItem(atPath: site.directory + "/store.db")
            try files.moveItem(atPath: site.directory + "/snapshot.db", toPath: site.directory + "/store.db")
            let restored = try await site.startAgent()
            #expect(await poll("a refusal") { try await issue(site).status == 1 }, "\(restored.text)")
            #expect(await restored.end() == 0)
            let decided = try await site.privyseald("recover", "--restored", "--yes")
            #expect(decided.status == 0, "\(decided.errors)")
            try await site.startAgent()
            #expect(try await issue(site).status == 0)
            #expect(try await site.output("health", "--query", "status", "-o", "tsv") == "ok")
        }
    }
}
