import AgentClient
import AgentProtocol
import Testing

@Suite("A wall clock that cannot be trusted")
struct ClockTests {
    private static let parameters = IssuerCreateParameters(
        issuer: "demo",
        settings: .init(algorithm: "ES256", lifetimeSeconds: 600, maximumLifetimeSeconds: 3_600, overlapSeconds: 3_600))

    /// Calls with an agent whose key 1 retires in an hour.
    private static func retiring(_ body: (AgentFixture, AgentConnection) async throws -> Void) async throws {
        try await AgentFixture.with { agent, client in
            _ = try await client.call(parameters)
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            try await body(agent, client)
        }
    }

    @Test("a jump of two hours suspends retirement while signing goes on, until an operator accepts the clock")
    func jumpIsAccepted() async throws {
        try await Self.retiring { agent, client in
            let old = try #require(try await client.key("retiring"))
            agent.clock.jump(7_200)
            await agent.settle()
            #expect(try await client.key("retiring")?.kid == old.kid)
            #expect(try agent.privateKeysOnToken().contains(try #require(old.custody?.keyID)))
            _ = try await client.sign()
            let health = try await client.health()
            #expect(health.status == "degraded")
            #expect(health.clock.state == "suspect")
            let problem = try #require(health.problems.first { $0.component == "clock" })
            #expect(problem.message.contains("7200 s"))
            #expect(problem.hint?.contains("acceptClock") == true)

            _ = try await client.call(ReloadParameters(acceptClock: true))
            await agent.settle()
            #expect(try await client.key("retired")?.kid == old.kid)
            #expect(try await client.health().status == "ok")
        }
    }

    @Test("a clock that creeps forward, each step within what is tolerated, retires no key before its time")
    func creeping() async throws {
        try await Self.retiring { agent, client in
            let old = try #require(try await client.key("retiring")).kid
            // 22 steps of 55 s in 25 s are as many as the whole overlap, three times.
            for _ in 1...66 {
                agent.clock.jump(55)
                agent.clock.pass(1)
                await agent.settle()
            }
            #expect(try await client.key("retiring")?.kid == old)
            _ = try await client.sign()
            let health = try await client.health()
            #expect(health.clock.state == "suspect")
            #expect(health.problems.contains { $0.message.contains("3630 s") }, "\(health.problems)")
        }
    }

    @Test("a machine that sleeps through the end of an overlap retires the key when it wakes, without a doubt")
    func sleeping() async throws {
        try await Self.retiring { agent, client in
            let old = try #require(try await client.key("retiring")).kid
            await agent.pass(30 * 86_400)
            #expect(try await client.health().clock.state == "ok")
            #expect(try await client.key("retired")?.kid == old)
        }
    }

    @Test("a clock that is set right again is trusted again, and no key was lost meanwhile")
    func jumpIsTakenBack() async throws {
        try await Self.retiring { agent, client in
            let old = try #require(try await client.key("retiring")).kid
            agent.clock.jump(7_200)
            await agent.settle()
            agent.clock.jump(-7_200)
            await agent.settle()
            #expect(try await client.health().clock.state == "ok")
            #expect(try await client.key("retiring")?.kid == old)
            await agent.pass(3_600)
            #expect(try await client.key("retired")?.kid == old)
        }
    }

    @Test("a rotation asked for while the clock is suspect retires no key by that clock")
    func rotationUnderDoubt() async throws {
        try await Self.retiring { agent, client in
            let old = try #require(try await client.key("retiring")).kid
            agent.clock.jump(7_200)
            await agent.settle()
            let plan = try await client.rotate(dryRun: true).plan
            #expect(plan.revoked.contains(old))
            #expect(try await client.key("retiring")?.kid == old)
        }
    }

    @Test("a clock that starts before the last change is suspect from the start")
    func startsTooEarly() async throws {
        try await Self.retiring { agent, _ in
            await agent.stop()
            agent.clock.jump(-1_000)
            try await agent.start()
            try await agent.connected { client in
                let health = try await client.health()
                #expect(health.clock.state == "suspect")
                #expect(health.problems.contains { $0.message.contains("1000 s") })
                await agent.pass(1_000)
                #expect(try await client.health().status == "ok")
            }
        }
    }
}
