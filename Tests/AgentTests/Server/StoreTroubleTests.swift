import AgentClient
import AgentProtocol
import IssuerStore
import KeyLifecycle
import Testing

@Suite("A store that cannot be written for a while")
struct StoreTroubleTests {
    @Test("what a full disk kept from being done is done as soon as there is room, however often it has failed")
    func goesOn() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            agent.failures.fail { call in
                switch call {
                case .record, .probe: true
                default: false
                }
            }
            try await client.rotate()
            // Long enough for the pauses between tries to be minutes.
            for _ in 1...8 { await agent.pass(400) }
            #expect(try await client.kids(in: "standby").isEmpty)
            let health = try await client.health()
            #expect(health.status == "degraded" && health.store.state == "unavailable")
            agent.failures.fail { _ in false }
            // No time passes.
            for _ in 1...2 { await agent.settle() }
            #expect(try await client.health().status == "ok")
            #expect(try await client.kids(in: "standby").count == 1)
        }
    }

    @Test("is not taken for a good one because it can be read")
    func reading() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            agent.failures.fail { call in
                switch call {
                case .record, .commit, .probe: true
                default: false
                }
            }
            #expect(try await refusal { try await client.rotate() }.reason == .storeUnavailable)
            _ = try await client.reconcile(dryRun: true)
            await agent.settle()
            #expect(try await client.health().store.state == "unavailable")
        }
    }
}
