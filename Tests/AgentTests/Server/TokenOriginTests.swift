import Agent
import AgentClient
import AgentProtocol
import IssuerStore
import KeyLifecycle
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@Suite("Whose token it is")
struct TokenOriginTests {
    /// Deletes the only issuer as an agent does that is killed before it gets to the token.
    private func deleteInStore(_ agent: AgentFixture) async throws {
        let issuer = try #require(try await agent.store.contents().issuers.first)
        try await agent.store.commit(issuer.deleting(at: Timestamp(seconds: agent.clock.now)), fulfilling: [])
    }

    @Test("a key to be destroyed on one token is not taken for destroyed on another, and goes when its own is back")
    func pendingOnFormerToken() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            let onToken = try agent.privateKeysOnToken()
            await agent.stop()
            let right = agent.configuration.withLock { $0 }
            try await deleteInStore(agent)
            try await AgentFixture.stopped { other in
                agent.use(tokenOf: other)
                try await agent.start()
                await agent.settle()
                try await agent.connected { client in
                    try await client.create("new", standby: false)
                    await agent.settle()
                    _ = try await client.sign("new")
                    let report = try await client.reconcile(dryRun: false)
                    #expect(report.findings.map(\.finding) == ["waiting"])
                    #expect(Set(report.findings.map(\.keyID)) == onToken)
                    #expect(try await client.health().status == "ok", "there is nothing the agent could do about it")
                }
                await agent.stop()
                #expect(try await agent.store.contents().destructions.map(\.isStray) == [true])
            }
            agent.configuration.withLock { $0 = right }
            try await agent.start()
            await agent.settle()
            #expect(try await agent.store.contents().destructions.isEmpty)
            #expect(try agent.privateKeysOnToken().isEmpty)
        }
    }

    @Test("the last key's destruction that was not noted is taken for done on the token that had it")
    func lastDestructionCutOff() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            agent.failures.fail { call in if case .markDestroyed = call { true } else { false } }
            _ = try await client.call(IssuerDeleteParameters(issuer: "demo"))
            await agent.settle()
            #expect(try agent.privateKeysOnToken().isEmpty)
            #expect(try await agent.store.contents().destructions.count == 1)
            agent.failures.fail { _ in false }
            try await agent.restart()
            await agent.settle()
            #expect(try await agent.store.contents().destructions.isEmpty)
        }
    }

    @Test("a wrong token is named beside the one that last had the keys")
    func wrongTokenIsNamed() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let last = try #require(try await client.health().hsm.tokenSerial)
            await agent.stop()
            try await AgentFixture.stopped { other in
                agent.use(tokenOf: other)
                try await agent.start()
                await agent.settle()
                try await agent.connected { client in
                    let health = try await client.health()
                    let serial = try #require(health.hsm.tokenSerial)
                    #expect(serial != last)
                    let problem = try #require(health.problems.first { $0.message.contains("none of the keys") })
                    #expect(problem.message.contains(last) && problem.message.contains(serial))
                    let report = try await client.reconcile(dryRun: false)
                    #expect(!report.token.proven)
                    #expect(report.token.serial == serial && report.token.lastSerial == last)
                    #expect(report.findings.map(\.finding) == ["missing", "missing"])
                }
                #expect(try other.privateKeysOnToken().isEmpty)
                await agent.stop()
            }
        }
    }

    @Test("an issuer made again goes on with its namesake's generations, so that no plan for the one fits the other")
    func generationsGoOn() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let last = try await client.status().generation
            _ = try await client.call(IssuerDeleteParameters(issuer: "demo"))
            try await client.create(standby: false)
            #expect(try await client.status().generation == last + 1)
            #expect(try await refusal { try await client.rotate(ifGeneration: last) }.reason == .conflict)
            _ = try await client.call(IssuerDeleteParameters(issuer: "demo"))
            try await agent.restart()
            try await agent.connected { client in
                let again = try await client.create(standby: false)
                #expect(again.generation == last + 2)
            }
        }
    }

    @Test("issuers move to a new token when theirs is gone: what was valid stays published, and nothing looks for it")
    func replacement() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            try await client.create("other", standby: false)
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            let retiring = try #require(try await client.kids(in: "retiring").first)
            let jwt = try await client.sign()
            let other = try await client.sign("other")
            let error = await #expect(throws: RecoveryRefusal.self) {
                try await agent.offline { try await $0.planTokenReplacement() }
            }
            #expect(error?.message.contains("it is not lost") == true)

            try await AgentFixture.stopped { new in
                agent.use(tokenOf: new)
                let renewed = try await agent.offline { offline in
                    let plan = try await offline.planTokenReplacement()
                    #expect(plan.lines.contains { $0.contains(jwt.kid) && $0.contains("goes on being published") })
                    #expect(plan.lines.contains { $0.contains(retiring) && $0.contains("is revoked") })
                    return try await offline.replaceToken(plan)
                }
                #expect(renewed.map(\.name.text) == ["demo", "other"])
                try await agent.start()
                await agent.settle()
                try await agent.connected { client in
                    _ = try await client.verify(jwt.jwt, now: agent.clock.now)
                    _ = try await client.verify(other.jwt, issuer: "other", now: agent.clock.now)
                    #expect(try await client.sign().kid == renewed.first?.activeKid)
                    #expect(try await client.kids(in: "retiring") == [jwt.kid])
                    #expect(try await client.kids(in: "revoked").contains(retiring))
                    #expect(try await client.health().status == "ok")
                    let report = try await client.reconcile(dryRun: true)
                    #expect(report.findings.isEmpty && report.actions.isEmpty && report.token.proven)
                    // Its end asks nothing of the token.
                    await agent.pass(86_401)
                    #expect(try await client.kids(in: "retired").contains(jwt.kid))
                    #expect(try await agent.store.contents().destructions.isEmpty)
                    #expect(try await client.health().status == "ok")
                }
                await agent.stop()
            }
        }
    }
}
