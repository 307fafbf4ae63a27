import AgentClient
import AgentProtocol
import IssuerStore
import IssuerStoreSupport
import SoftHSMSupport
import TestSupport
import Testing

@testable import Agent

@Suite("What the agents of a fleet say of their store")
struct FleetStoreTroubleTests {
    private func health(_ agent: FleetAgent) async throws -> Health {
        try await agent.connected { try await $0.health() }
    }

    @Test("a part of it that does not answer is named by health as long as it does not, and by the log once")
    func part() async throws {
        try await FleetFixture.with(["a"]) { fleet in
            let agent = fleet[0]
            _ = try await agent.connected { try await $0.create() }
            let silent = StoreError(.unavailable, "etcd at x did not answer", hint: "check its disk")
            let line = "something is wrong with a part of the store"
            for round in 1...2 {
                agent.handle.setTroubles([silent])
                for _ in 0..<3 { await agent.server.fleet?.lookForTroubles() }
                let found = try await health(agent)
                #expect(found.status == "degraded", "\(found)")
                #expect(found.problems.contains { $0.message == silent.message && $0.hint == silent.hint }, "\(found)")
                _ = try await agent.sign()
                #expect(agent.records.count(line) == round)
                agent.handle.setTroubles([])
                await agent.server.fleet?.lookForTroubles()
                #expect(try await health(agent).problems.allSatisfy { $0.message != silent.message })
            }
        }
    }

    @Test("one that can be read alone is signed by, refuses changes with its reason, and nobody is called silent for it alone")
    func readOnly() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let full = StoreError(.unavailable, "etcd at x has used up its quota", hint: "compact and defragment it")
            for agent in fleet.agents { agent.handle.refuseChanges(full) }
            await fleet.pass(20)
            for agent in fleet.agents {
                let found = try await health(agent)
                #expect(!found.problems.contains { $0.component == "fleet" }, "nobody is silent: \(found)")
            }
            // Leases are not kept by all means.
            for agent in fleet.agents { fleet.store.expireLeases(of: agent.name) }
            await fleet.pass(20)
            let line = "the store takes nothing from this agent, neither a change nor that it is there"
            for agent in fleet.agents {
                _ = try await agent.sign()
                let found = try await health(agent)
                #expect(found.status == "degraded" && found.store.state == "unavailable", "\(found)")
                let said = try #require(found.problems.first { $0.message.contains("takes nothing from this agent") }, "\(found)")
                #expect(said.message.hasSuffix(full.message) && said.hint == full.hint, "\(said)")
                let other = try #require(found.problems.first { $0.component == "fleet" }, "\(found)")
                #expect(other.hint?.contains("see to the store first") == true, "\(other)")
                #expect(agent.records.count(line) == 1)
            }
            let refused = try await refusal {
                _ = try await fleet[0].connected { try await $0.call(IssuerCreateParameters(issuer: "other")) }
            }
            #expect(refused.reason == .storeUnavailable && refused.message.contains(full.message), "\(refused)")

            for agent in fleet.agents { agent.handle.refuseChanges(nil) }
            await fleet.pass(1)
            for agent in fleet.agents {
                while try await health(agent).problems.contains(where: { ["store", "fleet"].contains($0.component) }) {
                    await agent.settle()
                }
                #expect(agent.records.count("the store takes again what this agent says") == 1)
            }
        }
    }

    @Test("one that does not answer is not said to take nothing")
    func unreachable() async throws {
        try await FleetFixture.with(["a"]) { fleet in
            let agent = fleet[0]
            agent.handle.set(.refusing)
            await agent.server.fleet?.renew()
            let found = try await health(agent)
            #expect(found.problems.count { $0.message.contains("signing goes on for") } == 1, "\(found)")
            #expect(!found.problems.contains { $0.message.contains("takes nothing from this agent") }, "\(found)")
            agent.handle.set(.open)
        }
    }

    @Test("one that is slow three times in a row is named until it is not")
    func slow() async throws {
        try await FleetFixture.with(["a"]) { fleet in
            let agent = fleet[0]
            agent.handle.whileRenewing { [clock = agent.clock] in clock.pass(2) }
            for _ in 1...StorePace.count { await agent.server.fleet?.renew() }
            let found = try await health(agent)
            let said = try #require(found.problems.first { $0.message.contains("the store is slow: it took") }, "\(found)")
            #expect(said.component == "store" && said.hint?.contains("disks") == true, "\(said)")
            #expect(agent.records.count("the store is slow") == 1)
        }
    }

    @Test("agents of several releases are a notice, and no problem")
    func releases() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            await fleet.pass(1)
            #expect(try await health(fleet[0]).notices == nil)
            await fleet[1].stop()
            try await fleet[1].start(release: "2")
            await fleet.pass(1)
            for agent in fleet.agents {
                let found = try await health(agent)
                #expect(found.status == "ok", "\(found)")
                #expect(found.notices?.contains { $0.contains("several releases (1 on a; 2 on b)") } == true, "\(found)")
            }
        }
    }
}
