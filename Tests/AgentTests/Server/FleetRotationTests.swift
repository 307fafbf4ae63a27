import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import IssuerStore
import IssuerStoreSupport
import KeyLifecycle
import Testing

@testable import Agent

@Suite("Rotations of several agents")
struct FleetRotationTests {
    /// What a token does with a key that another agent has made: it does not sign with it, or does not show it yet.
    static let faults = ["C_Sign return=CKR_KEY_FUNCTION_NOT_PERMITTED", "* blank"]

    private static func unable(_ agent: String) -> String {
        "agent \(agent) has not said that it can use the key that signs now: it may refuse requests"
    }

    @Test(
        "a rotation waits for an agent whose token shows the incoming key late, or does not sign with it yet",
        arguments: faults)
    func waitsForAgents(fault: String) async throws {
        try await FleetFixture.with(faulty: ["c"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create(standby: false) }
            await fleet.settle()
            let before = try await fleet[0].sign().kid
            try fleet[2].faultyToken.set(fault)
            async let rotating = fleet[0].connected { try await $0.rotate() }
            let incoming = try await fleet.standbyUnusable(by: "c")
            for _ in 0..<3 { await fleet[1].settle() }
            #expect(try await fleet.issuer().ring.active?.kid == before)
            try fleet[2].faultyToken.clear()
            await fleet[2].settle()
            let rotated = try await rotating
            #expect(rotated.activeKid == incoming)
            #expect(!rotated.warnings.contains { $0.contains("agent") }, "\(rotated.warnings)")
            for agent in fleet.agents { #expect(try await agent.sign().kid == incoming) }
        }
    }

    @Test(
        "a rotation goes ahead without an agent that cannot use the incoming key in time, and its reply names it",
        arguments: faults)
    func namesAgent(fault: String) async throws {
        try await FleetFixture.with(faulty: ["c"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create(standby: false) }
            await fleet.settle()
            try fleet[2].faultyToken.set(fault)
            async let rotating = fleet[0].connected { try await $0.rotate() }
            let incoming = try await fleet.standbyUnusable(by: "c")
            // The others can use it, and have said so.
            let seen = try #require(try await fleet.report(of: "c")).revision
            let isReady = await eventually {
                await fleet[1].settle()
                let report = try #require(try await fleet.report(of: "b"))
                return report.revision >= seen && !report.unusable.contains(incoming)
            }
            try #require(isReady)
            for agent in fleet.agents { agent.clock.pass(121) }
            let rotated = try await rotating
            #expect(rotated.activeKid == incoming)
            #expect(rotated.warnings.filter { $0.contains("agent") } == [Self.unable("c")])
        }
    }

    @Test("of a standby key it is known before a rotation who can use it")
    func namesAgentForStandby() async throws {
        try await FleetFixture.with(faulty: ["c"], { $0.fleetLimits.readiness = .zero }) { fleet in
            try fleet[2].faultyToken.set("C_Sign return=CKR_KEY_FUNCTION_NOT_PERMITTED")
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let standby = try await fleet.standbyUnusable(by: "c")
            let (name, registry) = (try await fleet.issuer().name, fleet[0].server.registry)
            try #require(await eventually { await registry.readiness(of: name, kid: standby)?.lacking == ["c": .unusable] })
            let rotated = try await fleet[0].connected { try await $0.rotate() }
            #expect(rotated.activeKid == standby)
            #expect(rotated.warnings.filter { $0.contains("agent") } == [Self.unable("c")])
        }
    }

    @Test("a rotation that is due at three agents is begun by the first of them alone")
    func oneBegins() async throws {
        try await FleetFixture.with(withRunningClocks: false) { fleet in
            let (name, order) = try #require(await fleet.issuerWithAnOrder())
            try await fleet.createScheduled(name)
            let before = try await fleet.issuer(name.text)
            await fleet.passUntilClocksAgree(FleetFixture.schedule + order[0].lateness - 1)
            await fleet.tickAtOnce()
            #expect(try await fleet.issuer(name.text) == before)
            await fleet.passUntilClocksAgree(1)
            await fleet.tickAtOnce()
            #expect(try await fleet.issuer(name.text).ring.active?.kid == before.ring.standby?.kid)
            for _ in 0..<2 {
                await fleet.passUntilClocksAgree(10)
                await fleet.tickAtOnce()
            }
            try await fleet.expectOneRotation(since: before)
            for agent in fleet.agents { await agent.stop() }
            let begun = try order.map { agent, _ in try agent.notes("is due to be rotated by schedule") }
            #expect(begun == [1, 0, 0])
        }
    }

    @Test("three agents that set out for a scheduled rotation at the same moment make one of it, and revoke nothing")
    func allBegin() async throws {
        try await FleetFixture.with(withRunningClocks: false) { fleet in
            let name = IssuerName("demo")!
            try await fleet.createScheduled(name)
            let before = try await fleet.issuer()
            await fleet.passUntilClocksAgree(FleetFixture.schedule + 10)
            for agent in fleet.agents { agent.handle.set(.holdingRequests) }
            let ticking = fleet.agents.map { agent in Task { await agent.server.tick() } }
            for agent in fleet.agents {
                try #require(await eventually { try agent.notes("is due to be rotated by schedule") == 1 })
            }
            for agent in fleet.agents { agent.handle.set(.open) }
            for task in ticking { await task.value }
            await fleet.passUntilClocksAgree(10)
            await fleet.tickAtOnce()
            try await fleet.expectOneRotation(since: before)
            for agent in fleet.agents { await agent.stop() }
            #expect(try fleet.agents.map { try $0.notes("issuer demo was rotated by schedule to ") }.reduce(0, +) == 1)
        }
    }

    @Test("each key pair is generated once, whichever agent rotates")
    func onePairEach() async throws {
        try await FleetFixture.with(faulty: ["a", "b", "c"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            for agent in fleet.agents {
                _ = try await agent.connected { try await $0.rotate() }
                await fleet.settle()
            }
            for _ in 0..<3 { await fleet.pass(30) }
            // Two for a new issuer, a standby key for each rotation, and a key that nobody has seen for each that revokes.
            #expect(try fleet.agents.map { try $0.generations }.reduce(0, +) == 2 + 3 + 2)
            #expect(try await fleet.issuer().ring.keys.count == 2 + 3 + 2)
        }
    }

    @Test("a standby key that its agent could not make is made by one of those that find it missing")
    func oneMakesStandby() async throws {
        try await FleetFixture.with(faulty: ["a", "b", "c"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            try fleet[0].faultyToken.set("C_GenerateKeyPair return=CKR_FUNCTION_NOT_SUPPORTED")
            _ = try await fleet[0].connected { try await $0.rotate() }
            await fleet[0].server.registry.drain()
            for agent in fleet.agents.dropFirst() { await agent.settle() }
            #expect(try await fleet.issuer().ring.standby == nil)

            // Past the time for which who has rotated is left alone with it.
            for agent in fleet.agents.dropFirst() { agent.clock.pass(25) }
            try fleet[1].faultyToken.set("C_GenerateKeyPair hold")
            let making = Task { await fleet[1].server.tick() }
            try #require(try await fleet[1].faultyToken.waitFor("C_GenerateKeyPair:held"))
            await fleet[2].server.tick()
            #expect(try fleet[2].generations == 0)

            // It is made, and the third agent has not been told of that.
            fleet[2].handle.dropHints()
            try fleet[1].faultyToken.clear()
            await making.value
            #expect(try await fleet.issuer().ring.standby != nil)
            fleet[2].clock.pass(25)
            await fleet[2].server.tick()
            #expect(try fleet.agents.dropFirst().map { try $0.generations } == [1, 0])
            await fleet.settle()
            #expect(try await fleet.privateKeysOnToken() == fleet.publishedKeys())
        }
    }

    @Test("a key pair that another agent is making is left alone while that one takes part, and looked after once it has gone")
    func pairOfAnother() async throws {
        try await FleetFixture.with(["a", "b"], faulty: ["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            try fleet[0].faultyToken.set("C_GenerateKeyPair hold-after")
            _ = try await fleet[0].connected { try await $0.rotate() }
            try #require(try await fleet[0].faultyToken.waitFor("C_GenerateKeyPair:held"))
            let intent = try #require(try await fleet.contents().intents.first { !$0.isTombstone })
            #expect(try fleet.privateKeysOnToken().contains(intent.keyID.description))
            for _ in 0..<4 {
                await fleet[0].server.fleet?.renew()
                await fleet[1].lookAfterOthers(15)
            }
            let reconciled = try await fleet[1].server.registry.reconcile(dryRun: false)
            #expect(reconciled.plan.intents.isEmpty)
            #expect(try await fleet.contents().intents.contains(intent))
            #expect(try fleet[1].generations == 0)

            // It says nothing any more, as one that is killed.
            fleet[0].handle.set(.refusing)
            fleet.store.expireLeases(of: "a")
            var passed = 0
            while try await fleet.contents().intents.contains(intent), passed < 600 {
                await fleet[1].lookAfterOthers(15)
                passed += 15
            }
            #expect(try await !fleet.contents().intents.contains(intent))
            let published = try await fleet.publishedKeys()
            #expect(published.count == 3)
            #expect(try fleet.privateKeysOnToken() == published)

            // It was not killed, as it turns out, and finds its place taken.
            try fleet[0].faultyToken.clear()
            await fleet[0].server.registry.drain()
            fleet[0].clock.pass(passed + 60)
            fleet[0].handle.set(.open)
            for _ in 0..<3 { await fleet.pass(15) }
            #expect(try await fleet[0].sign().kid == fleet[1].sign().kid)
            #expect(try await fleet.publishedKeys() == published)
            #expect(try fleet.privateKeysOnToken() == published)
        }
    }
}

extension FleetFixture {
    /// Seconds between scheduled rotations.
    fileprivate static let schedule = 100_000

    /// The standby key, once an agent has told the others that it cannot use it.
    fileprivate func standbyUnusable(by agent: String) async throws -> String {
        var kid: String?
        let isTold = await eventually {
            kid = try await issuer().ring.standby?.kid
            guard let kid else { return false }
            return try await report(of: agent)?.unusable.contains(kid) == true
        }
        try #require(isTold)
        return try #require(kid)
    }

    /// The name of an issuer for which no two agents are equally late, and how late they are, the first one first.
    fileprivate func issuerWithAnOrder() async -> (name: IssuerName, order: [(agent: FleetAgent, lateness: Int)])? {
        for number in 0..<100 {
            let name = IssuerName("issuer-\(number)")!
            var order: [(agent: FleetAgent, lateness: Int)] = []
            for agent in agents { order.append((agent, Int(await agent.server.registry.lateness(of: name)))) }
            if Set(order.map(\.lateness)).count == order.count { return (name, order.sorted { $0.lateness < $1.lateness }) }
        }
        return nil
    }

    fileprivate func createScheduled(_ name: IssuerName) async throws {
        let settings = IssuerSettingsPatch(algorithm: "ES256", rotateEverySeconds: Self.schedule)
        _ = try await self[0].connected { try await $0.call(IssuerCreateParameters(issuer: name.text, settings: settings)) }
        await settle()
        try #require(try await issuer(name.text).ring.standby != nil)
    }

    /// Lets time pass until no agent takes the clock of another for one that differs: one that was told before is told again.
    fileprivate func passUntilClocksAgree(_ seconds: Int) async {
        await passUnnoticed(seconds)
        for agent in agents {
            guard let fleet = agent.server.fleet else { continue }
            while await !fleet.roster.clockDifferences(of: fleet.member.incarnation).isEmpty { await passUnnoticed(0) }
        }
    }

    fileprivate func tickAtOnce() async {
        await withTaskGroup(of: Void.self) { group in
            for agent in agents { group.addTask { await agent.server.tick() } }
        }
    }

    /// The standby key signs, what signed before stays valid, there is one new standby key and nothing else.
    fileprivate func expectOneRotation(since before: Issuer) async throws {
        await settle()
        let after = try await issuer(before.name.text)
        #expect(after.ring.active?.kid == before.ring.standby?.kid && after.ring.retiring?.kid == before.ring.active?.kid)
        #expect(after.ring.keys.count == 3 && after.ring.standby != nil)
        for agent in agents { #expect(try await agent.sign(before.name.text).kid == after.ring.active?.kid) }
    }
}

extension FleetAgent {
    /// Key pairs that were to be made by it.
    fileprivate var generations: Int {
        get throws { try faultyToken.count("C_GenerateKeyPair") }
    }

    /// Its audit log's own notes with these words.
    fileprivate func notes(_ words: String) throws -> Int {
        try lines().count { $0.contains(#""type":"note""#) && $0.contains(words) }
    }

    /// Lets time pass for this agent alone, which looks who is there and what is left to do.
    fileprivate func lookAfterOthers(_ seconds: Int) async {
        clock.pass(seconds)
        await server.fleet?.renew()
        await server.fleet?.lookAtRoster()
        await settle()
    }
}
