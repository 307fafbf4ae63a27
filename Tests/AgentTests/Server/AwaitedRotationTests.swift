import AgentClient
import AgentProtocol
import RelyingParty
import Testing

@Suite("Rotations that wait, on a token")
struct AwaitedRotationTests {
    /// Calls with an agent whose issuer has published a standby key just now.
    private static func published(
        standby: Bool? = nil, _ body: (AgentFixture, AgentConnection) async throws -> Void
    ) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: standby)
            await agent.settle()
            try await body(agent, client)
        }
    }

    @Test("the present key signs until the standby key's lead is over, and then the agent rotates by itself")
    func waits() async throws {
        try await Self.published { agent, client in
            let standby = try #require(try await client.key("standby")).kid
            let first = try await client.sign(lifetime: 86_400)
            let dry = try await client.rotate(dryRun: true, whenSafe: true)
            let result = try await client.rotate(ifGeneration: dry.generation, whenSafe: true)
            #expect(result.plan.signsFrom?.seconds == agent.clock.now + 30)
            #expect(result.plan.signsFrom == dry.plan.signsFrom)
            #expect(result.activeKid == first.kid)
            #expect(result.exposureSeconds == 0)
            #expect(result.warnings == [])
            let awaited = try #require(try await client.status().awaitedRotation)
            #expect(awaited.kid == standby)
            #expect(awaited.signsFrom == result.plan.signsFrom)
            #expect(awaited.requestedAt.seconds == agent.clock.now)

            await agent.pass(29)
            #expect(try await client.sign().kid == first.kid)
            await agent.pass(1)
            #expect(try await client.sign().kid == standby)
            let status = try await client.status()
            #expect(status.awaitedRotation == nil)
            #expect(status.keyCounts == KeyCounts(standby: 1, active: 1, retiring: 1, retired: 0, revoked: 0))
            _ = try await client.verify(first.jwt, now: agent.clock.now)
            let notes = try agent.audited().compactMap { $0["note"]?.string }
            #expect(notes.contains { $0 == "issuer demo was rotated after its wait to \(standby)" }, "\(notes)")
        }
    }

    @Test("once every relying party knows the standby key, it rotates at once")
    func atOnce() async throws {
        try await Self.published { agent, client in
            await agent.pass(30)
            let standby = try #require(try await client.key("standby")).kid
            let result = try await client.rotate(whenSafe: true)
            #expect(result.plan.signsFrom == nil)
            #expect(result.activeKid == standby)
            #expect(try await client.sign().kid == standby)
        }
    }

    @Test("a second rotation revokes at once all the same, and its fresh key signs when its lead is over")
    func secondRotation() async throws {
        try await Self.published { agent, client in
            let first = try await client.sign()
            try await client.rotate()
            await agent.settle()
            let second = try await client.sign()
            let seen = Set(try kids(of: try await client.discovery().jwks))

            let result = try await client.rotate(whenSafe: true)
            let fresh = try #require(result.plan.incoming?.kid)
            #expect(result.plan.incoming?.source == "generated")
            #expect(!seen.contains(fresh))
            #expect(Set(result.plan.revoked) == seen.subtracting([second.kid]))
            #expect(result.publication == .unserved)
            #expect(result.exposureSeconds == 30)
            #expect(try await client.sign().kid == second.kid)
            #expect(Set(try kids(of: try await client.discovery().jwks)) == [second.kid, fresh])
            let error = await #expect(throws: VerificationError.self) {
                _ = try await client.verify(first.jwt, now: agent.clock.now)
            }
            #expect(error?.code == .unknownKid)
            await agent.settle()
            #expect(try agent.privateKeysOnToken().count == 2)
            let record = try agent.audited().last { $0["method"]?.string == "rotate" && $0["outcome"]?.string == "allowed" }
            #expect(record?["effect"]?.string == "waits")
            #expect(Set(record?["revoked"]?.elements?.compactMap(\.string) ?? []) == Set(result.plan.revoked))

            await agent.pass(30)
            #expect(try await client.sign().kid == fresh)
            _ = try await client.verify(second.jwt, now: agent.clock.now)
            #expect(try await client.key("retiring")?.kid == second.kid)
        }
    }

    @Test("without a standby key a fresh one is published at once and signs when its lead is over")
    func withoutStandby() async throws {
        try await Self.published(standby: false) { agent, client in
            let first = try await client.sign().kid
            let fresh = try #require(try await client.rotate(whenSafe: true).plan.incoming?.kid)
            #expect(Set(try kids(of: try await client.discovery().jwks)) == [first, fresh])
            #expect(try await client.sign().kid == first)
            await agent.pass(30)
            #expect(try await client.sign().kid == fresh)
            await agent.settle()
            #expect(try await client.status().keyCounts.standby == 0)
        }
    }

    @Test("what waits survives a restart, and goes ahead after one if its time has come meanwhile")
    func restart() async throws {
        try await AgentFixture.stopped { agent in
            try await agent.start()
            var standby = ""
            try await agent.connected { client in
                try await client.create()
                await agent.settle()
                standby = try #require(try await client.key("standby")).kid
                try await client.rotate(whenSafe: true)
            }
            try await agent.restart()
            try await agent.connected { client in
                let status = try await client.status()
                #expect(status.awaitedRotation?.kid == standby)
                #expect(status.activeKid != standby)
            }
            await agent.stop()
            agent.clock.pass(30)
            try await agent.start()
            await agent.settle()
            try await agent.connected { client in
                let signing = try await client.status().activeKid
                #expect(signing == standby)
            }
        }
    }

    @Test("asked for once more it is the same rotation, with the same moment and generation")
    func idempotent() async throws {
        try await Self.published { agent, client in
            try await client.rotate()
            await agent.settle()
            let first = try await client.rotate(whenSafe: true)
            await agent.pass(10)
            let keys = try await client.keys("demo")
            let again = try await client.rotate(whenSafe: true)
            #expect(again.plan.signsFrom == first.plan.signsFrom)
            #expect(again.plan.incoming?.kid == first.plan.incoming?.kid)
            #expect(again.plan.revoked == [])
            #expect(again.generation == first.generation)
            await agent.settle()
            #expect(try await client.keys("demo") == keys)
        }
    }

    @Test("given up it waits no more, and the key that was published for it stands by")
    func cancelled() async throws {
        try await Self.published { agent, client in
            let standby = try #require(try await client.key("standby")).kid
            let signing = try await client.rotate(whenSafe: true).activeKid
            #expect(try await client.rotate(dryRun: true, cancel: true).activeKid == signing)
            #expect(try await client.status().awaitedRotation != nil)
            let result = try await client.rotate(cancel: true)
            #expect(result.activeKid == signing && result.plan.incoming == nil && result.plan.revoked == [])
            await agent.pass(60)
            let status = try await client.status()
            #expect(status.awaitedRotation == nil && status.activeKid == signing)
            #expect(try await client.key("standby")?.kid == standby)
            #expect(try await refusal { try await client.rotate(cancel: true) }.reason == .conflict)
        }
    }

    @Test("giving up does not go with a rotation")
    func cancelAlone() async throws {
        try await Self.published { _, client in
            let error = try await refusal { try await client.rotate(whenSafe: true, cancel: true) }
            #expect(error.reason == .invalidParams)
            #expect(try await client.status().awaitedRotation == nil)
        }
    }

    @Test("a wall clock that has jumped ahead does not make it safe")
    func suspectClock() async throws {
        try await Self.published { agent, client in
            let signing = try await client.status().activeKid
            agent.clock.jump(7_200)
            let result = try await client.rotate(whenSafe: true)
            #expect(result.plan.signsFrom != nil)
            await agent.settle()
            #expect(try await client.status().activeKid == signing)
            agent.clock.jump(-7_200)
            await agent.pass(30)
            #expect(try await client.status().activeKid != signing)
        }
    }

    @Test("a rotation that must not revoke is refused inside the overlap, with its end, and changes nothing")
    func noRevoke() async throws {
        try await Self.published { agent, client in
            let first = try await client.sign(lifetime: 86_400)
            try await client.rotate(noRevoke: true)
            await agent.settle()
            let keys = try await client.keys("demo")
            let end = try #require(try await client.status().overlapEndsAt)
            for dryRun in [true, false] {
                let error = try await refusal { try await client.rotate(dryRun: dryRun, noRevoke: true) }
                #expect(error.reason == .wouldRevoke)
                #expect(error.details["overlapEndsAt"] == .string(end.text))
            }
            #expect(try await refusal { try await client.rotate(whenSafe: true, noRevoke: true) }.reason == .wouldRevoke)
            #expect(try await client.keys("demo") == keys)
            _ = try await client.verify(first.jwt, now: agent.clock.now)
            await agent.pass(86_400)
            #expect(try await client.rotate(noRevoke: true).plan.revoked == [])
        }
    }
}
