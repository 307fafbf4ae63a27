import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Testing

@testable import Agent

@Suite("Work on the token that nobody waits for")
struct KeyWorkTests {
    /// Makes issuers `made-1` and so on, without a standby key, and one, `kept`, that stays.
    private func createMany(_ count: Int, standby: Bool = false, _ client: AgentConnection) async throws {
        try await client.create("kept", standby: false)
        for number in 1...count { try await client.create("made-\(number)", enabled: false, standby: standby) }
    }

    private func deleteMany(_ count: Int, _ client: AgentConnection) async throws {
        for number in 1...count { _ = try await client.call(IssuerDeleteParameters(issuer: "made-\(number)")) }
    }

    private func keyWork(_ client: AgentConnection) async throws -> KeyWorkHealth {
        try #require(try await client.health().hsm.keyWork)
    }

    @Test(
        "hundreds of keys to be destroyed hold up no rotation, no change and no issuer that is made, and health shows their line")
    func destruction() async throws {
        try await AgentFixture.with { agent, token, client in
            let count = 200
            try await createMany(count, client)
            try await client.create("other")
            await agent.settle()
            let objects = try agent.keyObjectsOnToken()
            try token.set("C_DestroyObject hold")
            try await deleteMany(count, client)
            #expect(try await token.waitFor("C_DestroyObject:held"))
            #expect(await eventually { (try? await keyWork(client).destruction.queued) == count - 1 })
            #expect(try await client.health().status == "ok")
            agent.clock.pass(4)
            let held = try await keyWork(client)
            #expect(held.destruction.oldestSeconds == 4 && held.awaited.queued == 0 && held.generation.queued == 0)
            // Each takes its time from now on, and there are two objects of each.
            try token.set("C_DestroyObject delay=15ms")
            try await client.rotate("kept")
            _ = try await client.call(IssuerUpdateParameters(issuer: "other", settings: .init(algorithm: "ES384")))
            try await client.create("later", standby: false)
            #expect(try token.count("C_DestroyObject") < count)
            #expect(try await keyWork(client).destruction.queued > count / 2)
            try token.clear()
            await agent.settle()
            #expect(try await keyWork(client).destruction == LineHealth(queued: 0, oldestSeconds: 0))
            #expect(try agent.keyObjectsOnToken() < objects - 2 * count + 10)
        }
    }

    @Test("a list of keys right after many issuers were made waits for no standby key but the one under way")
    func listing() async throws {
        try await AgentFixture.with { agent, token, client in
            let count = 40
            try token.set("C_GenerateKeyPair hold nth=\(count + 2)")
            try await createMany(count, client)
            for number in 1...count {
                _ = try await client.call(IssuerUpdateParameters(issuer: "made-\(number)", settings: .init(standby: true)))
            }
            #expect(try await token.waitFor("C_GenerateKeyPair:held"))
            #expect(await eventually { (try? await keyWork(client).generation.queued) == count - 1 })
            let before = try token.count("C_GenerateKeyPair")
            try token.set("C_GenerateKeyPair delay=20ms")
            let keys = try await client.keys()
            #expect(keys.count > count)
            #expect(keys.allSatisfy { $0.custody?.sensitive == true })
            #expect(try token.count("C_GenerateKeyPair") - before < count / 2)
            try token.clear()
            await agent.settle()
            #expect(try await client.status("made-\(count)").keyCounts.standby == 1)
        }
    }

    @Test("an agent that starts serves before the keys that are to be destroyed are gone")
    func start() async throws {
        try await AgentFixture.with { agent, token, client in
            let count = 20
            try await createMany(count, client)
            await agent.settle()
            let objects = try agent.keyObjectsOnToken()
            try token.set("C_DestroyObject return=CKR_TOKEN_WRITE_PROTECTED")
            try await deleteMany(count, client)
            await agent.stop()
            // The first is the note of the agent before, which gives way to that of this one.
            try token.set("C_DestroyObject hold nth=2")
            try await agent.start()
            #expect(try await token.waitFor("C_DestroyObject:held"))
            try token.clear()
            try await agent.connected { client in
                try await client.rotate("kept")
                await agent.settle()
                // The one of `kept` that was rotated out, and the one that signs.
                #expect(try agent.keyObjectsOnToken() == objects - 2 * count + 2)
            }
        }
    }

    @Test("an agent that ends leaves to the next what would take it long to destroy, and that destroys it")
    func end() async throws {
        try await AgentFixture.with { agent, token, client in
            let count = 100
            try await createMany(count, client)
            await agent.settle()
            let objects = try agent.keyObjectsOnToken()
            // All of it would take far longer than an agent's end may.
            try token.set("C_DestroyObject delay=100ms")
            try await deleteMany(count, client)
            await agent.stop()
            #expect(try token.count("C_DestroyObject") < 2 * count)
            try token.clear()
            try await agent.start()
            await agent.settle()
            #expect(try agent.keyObjectsOnToken() == objects - 2 * count)
        }
    }

    @Test("what a change of the same issuer waits for is destroyed before what nobody waits for")
    func ownIssuer() async throws {
        try await AgentFixture.with { agent, token, client in
            let count = 60
            try await createMany(count, client)
            await agent.settle()
            try token.set("C_DestroyObject hold")
            try await deleteMany(count, client)
            #expect(try await token.waitFor("C_DestroyObject:held"))
            #expect(await eventually { (try? await keyWork(client).destruction.queued) == count - 1 })
            async let created: Void = agent.connected { _ = try await $0.create("made-\(count)", standby: false) }
            #expect(await eventually { (try? await keyWork(client).awaited.queued) == 1 })
            try token.set("C_DestroyObject delay=20ms")
            try await created
            #expect(try token.count("C_DestroyObject") < count)
            try token.clear()
            await agent.settle()
        }
    }
}
