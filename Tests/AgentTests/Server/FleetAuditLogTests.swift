import AgentClient
import AgentProtocol
import Foundation
import IssuerStore
import IssuerStoreSupport
import Platform
import SoftHSMSupport
import Testing

@testable import Agent

@Suite("The audit logs of several agents")
struct FleetAuditLogTests {
    @Test("each change stands in one log with its revision, each agent notes the others' heads, and together they are proven")
    func story() async throws {
        var paths: [String] = []
        var keys: [AuditPublicKey] = []
        try await FleetFixture.with(signingHeads: true) { fleet in
            paths = fleet.agents.map(\.auditPath)
            _ = try await fleet[0].connected { try await $0.create() }
            let rotated = try await fleet[1].connected { try await $0.rotate() }
            _ = try await fleet[2].connected { try await $0.revoke(rotated.activeKid) }
            await fleet.pass(30)
            _ = try await fleet[1].connected { try await $0.create("other") }
            _ = try await fleet[0].connected { try await $0.call(IssuerDeleteParameters(issuer: "other")) }
            await fleet.settle()
            await fleet.exchangeHeads()
            for agent in fleet.agents {
                #expect(try agent.audited("agent").map { $0["agent"]?.string } == [agent.name])
                let noted = Set(try agent.audited("witness").compactMap { $0["agent"]?.string })
                #expect(noted == Set(["a", "b", "c"]).subtracting([agent.name]))
            }
            let made = try fleet.agents.flatMap { try $0.audited("change") }.filter { $0["step"]?.string == "made" }
            let revisions = made.compactMap { $0["revision"]?.integer }
            #expect(revisions.count == made.count && Set(revisions).count == made.count && made.count > 6, "\(made)")
            #expect(made.contains { $0["deleted"]?.bool == true } && made.contains { $0["created"]?.bool == true })
            // Of what is destroyed too it can be told by whom.
            let destroyed = try fleet.agents.flatMap { try $0.audited("change") }.filter { $0["step"]?.string == "destroyed" }
            #expect(!destroyed.isEmpty && destroyed.allSatisfy { $0["keyID"]?.string?.count == 32 })

            // At rest nothing is written.
            let before = try fleet.agents.map { try $0.lines().count }
            await fleet.exchangeHeads()
            await fleet.exchangeHeads()
            #expect(try fleet.agents.map { try $0.lines().count } == before)

            keys = try await fleet.auditKeys()
            #expect(keys.map(\.agent) == ["a", "b", "c"])
            try Self.verify(paths, keys, .proven)
            for agent in fleet.agents { await agent.stop() }
            try Self.verify(paths, keys, .proven)

            // An hour's work is cut off, with a head that the others have noted.
            let whole = try fleet[1].lines()
            let place = try #require(whole.lastIndex { $0.contains(#""type":"head""#) })
            try (whole[..<(place - 1)].joined(separator: "\n") + "\n")
                .write(toFile: paths[1], atomically: true, encoding: .utf8)
            let cut = try Self.verify(paths, keys, .notIntact)
            #expect(cut.findings.contains { $0.message.hasPrefix("the log of agent b is cut off") }, "\(cut.findings)")
            // The agent finds it out by itself.
            try await fleet[1].start()
            #expect(try await fleet[1].auditProblem().contains("the audit log of this agent was cut off"))
        }
    }

    private static func expectHealthy(_ agent: FleetAgent) async throws {
        let health = try await agent.connected { try await $0.health() }
        #expect(health.status == "ok", "\(health)")
    }

    @discardableResult
    private static func verify(
        _ paths: [String], _ keys: [AuditPublicKey], _ verdict: AuditVerification.Verdict
    ) throws -> FleetAuditVerification {
        var verification = FleetAuditVerification(publicKeys: keys)
        try verification.read(paths)
        #expect(
            verification.verdict == verdict,
            "\(verification.findings) \(verification.doubts) \(verification.logs.map(\.verification.findings))")
        return verification
    }

    @Test("a head that goes back is named in health and in the log until an operator has taken note of it")
    func wentBack() async throws {
        try await FleetFixture.with(["a", "b"], signingHeads: true) { fleet in
            await fleet.exchangeHeads()
            let shown = try #require(try await fleet[0].handle.heads().first { $0.agent == "b" })
            try await Self.expectHealthy(fleet[0])
            var changed = shown
            changed.hash = String(repeating: "7", count: 64)
            for (head, naming) in [
                (changed, "shows a signed head of another record \(shown.seq) now"), (shown, "another record \(shown.seq)"),
            ] {
                fleet.store.edit(head: head)
                await fleet[0].server.heads?.look()
                #expect(try await fleet[0].auditProblem().contains(naming))
            }
            changed.seq = 0
            fleet.store.edit(head: changed)
            await fleet[0].server.heads?.look()
            let problems = try await fleet[0].connected { try await $0.health() }.problems.map(\.message)
            #expect(
                problems.contains { $0.hasPrefix("the audit log of agent b went back: it shows a signed head of record 0 now") })
            #expect(try fleet[0].audited("note").contains { $0["note"]?.string?.contains("agent b went back") == true })
            _ = try await fleet[0].connected { try await $0.call(ReloadParameters(acceptAudit: true)) }
            try await Self.expectHealthy(fleet[0])
            // What is in no form that a head has is passed over.
            changed.hash = "nothing"
            fleet.store.edit(head: changed)
            await fleet[0].server.heads?.look()
            try await Self.expectHealthy(fleet[0])
        }
    }

    @Test("of a change that the store has not answered the log says so, and verification who made it")
    func undecided() async throws {
        try await FleetFixture.with(["a", "b"], signingHeads: true) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            // What the agent says of itself meanwhile may take some.
            fleet[0].handle.loseAnswers(1_000)
            _ = try? await fleet[0].connected {
                try await $0.call(IssuerUpdateParameters(issuer: "demo", settings: .init(lifetimeSeconds: 600)))
            }
            fleet[0].handle.loseAnswers(0)
            await fleet.settle()
            _ = try await fleet[1].connected { try await $0.rotate() }
            #expect(try fleet[0].audited("change").map { $0["step"]?.string }.contains("undecided"))
            await fleet.exchangeHeads()
            let verification = try Self.verify(fleet.agents.map(\.auditPath), try await fleet.auditKeys(), .proven)
            #expect(
                verification.remarks.contains { $0.contains("of demo was begun by agent a (") }, "\(verification.remarks)")
        }
    }

    @Test("a change that cannot be recorded is not made in the store")
    func unrecorded() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let before = try await fleet[1].handle.head().head
            await fleet[0].server.audit.close()
            let error = try await refusal { _ = try await fleet[0].connected { try await $0.rotate() } }
            #expect(error.reason == .auditUnavailable)
            #expect(try await fleet[1].handle.head().head == before)
        }
    }
}

extension FleetFixture {
    func auditKeys() async throws -> [AuditPublicKey] {
        try await agents[0].server.hsm.auditPublicKeys(of: store.deployment.id)
    }

    /// Has every agent sign the head of its log, show it, and note those of the others.
    func exchangeHeads() async {
        for agent in agents {
            await agent.server.heads?.look()
            await agent.server.audit.signHead()
            await agent.server.heads?.publish()
        }
        for agent in agents { await agent.server.heads?.look() }
    }
}

extension FleetAgent {
    var auditPath: String { configuration.withLock { $0.audit.path } }

    func lines() throws -> [String] {
        try String(contentsOfFile: auditPath, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    /// The records of a kind of the log's own.
    func audited(_ type: String) throws -> [JSONValue] {
        try lines().map { try JSONValue(parsing: Array($0.utf8)) }.filter { $0["type"]?.string == type }
    }

    /// The last that health says of the audit log.
    func auditProblem() async throws -> String {
        let problems = try await connected { try await $0.health() }.problems
        return problems.last { $0.component == "audit" }?.message ?? ""
    }
}
