import AgentClient
import AgentProtocol
import Foundation
import RelyingParty
import Testing

@Suite("Rotation and revocation, on a token")
struct RotationTests {
    @Test("after a rotation both keys are valid inside 24 h: the standby key signs and the old one verifies")
    func bothKeysValidInsideOverlap() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let standby = try #require(try await client.key("standby")).kid
            let first = try await client.sign(lifetime: 86_400)

            let result = try await client.rotate()
            #expect(result.activeKid == standby)
            #expect(result.plan.incoming == IncomingKeyView(source: "standby", kid: standby, algorithm: "ES256"))
            #expect(result.plan.retiring?.kid == first.kid)
            #expect(result.plan.retiring?.expiresAt.seconds == agent.clock.now + 86_400)
            #expect(result.plan.revoked == [])
            #expect(result.publication == nil)

            await agent.pass(86_399)
            let second = try await client.sign()
            #expect(second.kid == standby)
            _ = try await client.verify(first.jwt, now: agent.clock.now)
            _ = try await client.verify(second.jwt, now: agent.clock.now)
            let status = try await client.status()
            #expect(status.keyCounts == KeyCounts(standby: 1, active: 1, retiring: 1, retired: 0, revoked: 0))
        }
    }

    @Test("24 h after a rotation the old key is retired, unpublished, and its private key destroyed on the token")
    func oldKeyGoneAfterOverlap() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let old = try #require(try await client.key("active"))
            let keyID = try #require(old.custody?.keyID)
            let jwt = try await client.sign(lifetime: 86_400).jwt
            try await client.rotate()

            await agent.pass(86_399)
            #expect(try agent.privateKeysOnToken().contains(keyID))
            #expect(try kids(of: try await client.discovery().jwks).contains(old.kid))

            await agent.pass(1)
            #expect(try await client.key("retired")?.kid == old.kid)
            #expect(try await client.key("retired")?.custody == nil)
            #expect(try kids(of: try await client.discovery().jwks).contains(old.kid) == false)
            #expect(try agent.privateKeysOnToken().contains(keyID) == false)
            #expect(try agent.privateKeysOnToken().count == 2)
            // At its exp to the second: by its key, not by its date.
            let error = await #expect(throws: VerificationError.self) {
                _ = try await client.verify(jwt, now: agent.clock.now - 1)
            }
            #expect(error?.code == .unknownKid)
        }
    }

    @Test("a retiring key's end is announced ahead, as a version of the documents without it")
    func endIsAnnounced() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let old = try await client.sign().kid
            try await client.rotate()
            await agent.settle()
            let versions = try #require(try await client.discovery().urls.first).versions
            #expect(versions.map(\.from.seconds) == [agent.clock.now, agent.clock.now + 86_400])
            #expect(try kids(of: versions[0].jwks).contains(old))
            #expect(try kids(of: versions[1].jwks) == kids(of: versions[0].jwks).filter { $0 != old })
        }
    }

    @Test("rotating twice kills key 1 at once, leaves keys 2 and 3 valid, and key 3 is one nobody had seen")
    func rotatingTwiceKillsFirstKey() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let first = try await client.sign()
            try await client.rotate()
            await agent.settle()
            let second = try await client.sign()
            let seen = Set(try kids(of: try await client.discovery().jwks))
            #expect(seen.count == 3)

            let result = try await client.rotate()
            let third = try await client.sign()
            #expect(third.kid == result.activeKid)
            #expect(!seen.contains(third.kid))
            #expect(result.plan.incoming?.source == "generated")
            #expect(result.plan.incoming?.kid == third.kid)
            #expect(result.plan.retiring?.kid == second.kid)
            #expect(Set(result.plan.revoked) == seen.subtracting([second.kid]))
            #expect(result.publication == .unserved)
            #expect(result.exposureSeconds == 30)
            #expect(
                result.relyingParties == [
                    RelyingPartyView(kind: "fetches-at-unknown-kid", refusesNewSeconds: 0, acceptsRevokedSeconds: 0),
                    RelyingPartyView(kind: "fetches-near-expiry", refusesNewSeconds: 0, acceptsRevokedSeconds: 0),
                    RelyingPartyView(kind: "limits-fetching", refusesNewSeconds: 30, acceptsRevokedSeconds: 30),
                ])
            #expect(result.warnings.contains { $0.contains("PyJWT") && $0.contains("30 s") })

            let error = await #expect(throws: VerificationError.self) {
                _ = try await client.verify(first.jwt, now: agent.clock.now)
            }
            #expect(error?.code == .unknownKid)
            _ = try await client.verify(second.jwt, now: agent.clock.now)
            _ = try await client.verify(third.jwt, now: agent.clock.now)

            await agent.settle()
            let keys = try await client.keys("demo")
            #expect(keys.filter { $0.state == "revoked" }.count == 2)
            #expect(try agent.privateKeysOnToken() == Set(keys.compactMap(\.custody?.keyID)))
            #expect(try agent.privateKeysOnToken().count == 3)
        }
    }

    @Test("a second rotation after the overlap is an ordinary one and revokes nothing")
    func secondRotationAfterOverlap() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            try await client.rotate()
            // Nobody ticks: the rotation itself has to see that the overlap is over.
            await agent.passUnnoticed(86_400)
            let result = try await client.rotate()
            #expect(result.plan.revoked == [])
            #expect(result.plan.incoming?.source == "standby")
        }
    }

    @Test("rotating sooner than the JWKS max-age after the standby was published names the seconds at risk")
    func hastyRotationWarns() async throws {
        try await AgentFixture.with { agent, client in
            let created = try await client.call(
                IssuerCreateParameters(issuer: "demo", settings: .init(algorithm: "ES256", jwksMaxAgeSeconds: 300)))
            #expect(created.warnings.contains { $0.contains("kube-apiserver") && $0.contains("270 s") })
            await agent.settle()
            await agent.pass(100)
            let hasty = try await client.rotate()
            #expect(hasty.exposureSeconds == 200)
            #expect(hasty.warnings.contains { $0.contains("kube-apiserver") && $0.contains("170 s") })
        }
    }

    @Test("rotating once relying parties know the standby puts none of them at risk")
    func patientRotation() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            await agent.pass(30)
            let result = try await client.rotate()
            #expect(result.exposureSeconds == 0)
            #expect(result.warnings == [])
        }
    }

    @Test("a dry run changes nothing and is the plan that the rotation with its generation executes", arguments: [1, 2])
    func dryRun(rotations: Int) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            for _ in 1..<rotations {
                try await client.rotate()
                await agent.settle()
            }
            let before = try await client.keys("demo")
            let onToken = try agent.privateKeysOnToken()

            let dry = try await client.rotate(dryRun: true)
            await agent.settle()
            #expect(dry.dryRun)
            #expect(dry.publication == nil)
            #expect(dry.generation == dry.plan.generation)
            #expect(try await client.keys("demo") == before)
            #expect(try await client.status().generation == dry.generation)
            #expect(try agent.privateKeysOnToken() == onToken)

            let real = try await client.rotate(ifGeneration: dry.generation)
            var plan = real.plan
            // A key still to be generated has no kid in the plan.
            if dry.plan.incoming?.source == "generated" { plan.incoming?.kid = nil }
            #expect(plan == dry.plan)
            #expect(real.exposureSeconds == dry.exposureSeconds)
            #expect(try await client.status().generation > dry.generation)
        }
    }

    @Test("a rotation repeated with the generation of its plan is a conflict that tells the generation, never a second one")
    func repeatedRotationConflicts() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let planned = try await client.rotate(dryRun: true).generation
            try await client.rotate(ifGeneration: planned)
            await agent.settle()
            let before = try await client.keys("demo")
            let error = try await refusal { try await client.rotate(ifGeneration: planned) }
            #expect(error.reason == .conflict)
            #expect(error.details["generation"] == .integer(Int64(try await client.status().generation)))
            #expect(try await client.keys("demo") == before)
        }
    }

    @Test("two rotations that race with the same generation: one is carried out, the other is a conflict")
    func racedRotationsConflict() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let generation = try await client.status().generation
            let outcomes = await withTaskGroup(of: Reason?.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        do {
                            try await client.rotate(ifGeneration: generation)
                            return nil
                        } catch {
                            return (error as? ProtocolError)?.reason ?? .internalError
                        }
                    }
                }
                return await group.reduce(into: [Reason?]()) { $0.append($1) }
            }
            #expect(outcomes.filter { $0 == nil }.count == 1)
            #expect(outcomes.filter { $0 == .conflict }.count == 3)
        }
    }

    @Test("revoking the active key: a fresh key takes over, the standby is discarded, a retiring key stays")
    func revokingActive() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let first = try await client.sign()
            try await client.rotate()
            await agent.settle()
            let active = try await client.sign()
            let standby = try #require(try await client.key("standby")).kid

            let result = try await client.revoke(active.kid)
            #expect(Set(result.plan.revoked) == [active.kid, standby])
            #expect(result.plan.retiring?.kid == first.kid)
            #expect(![first.kid, active.kid, standby].contains(result.activeKid))
            #expect(try await client.sign().kid == result.activeKid)
            #expect(try await client.key("retiring")?.kid == first.kid)
            _ = try await client.verify(first.jwt, now: agent.clock.now)
            await #expect(throws: VerificationError.self) { _ = try await client.verify(active.jwt, now: agent.clock.now) }
            await agent.settle()
            #expect(try agent.privateKeysOnToken().count == 3)
        }
    }

    @Test("revoking the retiring or the standby key goes like a second rotation", arguments: ["retiring", "standby"])
    func revokingOther(state: String) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            let keys = try await client.keys("demo")
            let kid = try #require(try await client.key(state)).kid
            let active = try await client.sign().kid

            let dry = try await client.revoke(kid, dryRun: true)
            #expect(try await client.keys("demo") == keys)
            let result = try await client.revoke(kid)
            #expect(result.plan.revoked == dry.plan.revoked)
            #expect(Set(result.plan.revoked) == Set(keys.map(\.kid)).subtracting([active]))
            #expect(result.plan.retiring?.kid == active)
            #expect(!keys.map(\.kid).contains(result.activeKid))
            #expect(try await client.sign().kid == result.activeKid)
        }
    }

    @Test("a key that has ended cannot be revoked once more")
    func revokingEndedKey() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let kid = try await client.sign().kid
            _ = try await client.revoke(kid)
            #expect(try await refusal { _ = try await client.revoke(kid) }.reason == .keyNotFound)
        }
    }

    @Test("without a standby the ring has one key, a rotation generates the next, and two keys are valid, never three")
    func withoutStandby() async throws {
        try await AgentFixture.with { agent, client in
            let created = try await client.create(standby: false)
            await agent.settle()
            #expect(try await client.keys("demo").map(\.kid) == [created.activeKid])
            let result = try await client.rotate()
            await agent.settle()
            #expect(result.plan.incoming?.source == "generated")
            #expect(!result.plan.standbyFollows)
            #expect(Set(try kids(of: try await client.discovery().jwks)) == [created.activeKid, result.activeKid])
            let again = try await client.rotate()
            #expect(Set(try kids(of: try await client.discovery().jwks)) == [result.activeKid, again.activeKid])
        }
    }

    @Test("switching the standby off ends the standby key, and on again publishes a new one")
    func switchingStandby() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let standby = try #require(try await client.key("standby")).kid
            _ = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(standby: false)))
            await agent.settle()
            #expect(try await client.key("revoked")?.kid == standby)
            #expect(try agent.privateKeysOnToken().count == 1)
            _ = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(standby: true)))
            await agent.settle()
            let fresh = try #require(try await client.key("standby")).kid
            #expect(fresh != standby)
        }
    }

    @Test("a new algorithm replaces the standby at once, signs from the next rotation, and both are in discovery then")
    func newAlgorithm() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let former = try #require(try await client.key("standby")).kid
            let result = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(algorithm: "RS256")))
            #expect(result.issuer.algorithm == "RS256")
            #expect(result.issuer.activeAlgorithm == "ES256")
            #expect(result.warnings.contains { $0.contains("RS256") })
            #expect(result.warnings.contains { $0.contains("go-oidc v3") && $0.contains("restart them, and only then rotate") })
            await agent.settle()
            let standby = try #require(try await client.key("standby"))
            #expect(standby.algorithm == "RS256")
            #expect(standby.kid != former)
            #expect(try await client.key("revoked")?.kid == former)
            let old = try await client.sign()
            #expect(old.alg == "ES256")

            let rotated = try await client.rotate()
            #expect(rotated.warnings.contains { $0.contains("RS256 signs in place of ES256") && $0.contains("restarted since") })
            await agent.settle()
            let new = try await client.sign()
            #expect(new.alg == "RS256")
            #expect(new.kid == standby.kid)
            let discovery = try #require(try await client.discovery().urls.first?.versions.first).discovery.body
            #expect(discovery.contains("\"id_token_signing_alg_values_supported\":[\"ES256\",\"RS256\"]"))
            _ = try await client.verify(old.jwt, now: agent.clock.now)
            _ = try await client.verify(new.jwt, now: agent.clock.now)
        }
    }

    @Test("a scheduled rotation comes by itself, promotes the standby and revokes nothing")
    func scheduledRotation() async throws {
        try await AgentFixture.with { agent, client in
            let parameters = IssuerCreateParameters(
                issuer: "demo", settings: .init(algorithm: "ES256", rotateEverySeconds: 100_000))
            _ = try await client.call(parameters)
            await agent.settle()
            let standby = try #require(try await client.key("standby")).kid
            #expect(try await client.status().nextRotationAt?.seconds == agent.clock.now + 100_000)
            await agent.pass(99_999)
            #expect(try await client.status().activeKid != standby)
            await agent.pass(1)
            let status = try await client.status()
            #expect(status.activeKid == standby)
            #expect(status.keyCounts == KeyCounts(standby: 1, active: 1, retiring: 1, retired: 0, revoked: 0))
        }
    }

    @Test("no JWT outlives its key's publication, though bounds were lowered after it was signed")
    func loweredBounds() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let jwt = try await client.sign(lifetime: 86_400)
            let update = IssuerUpdateParameters(
                issuer: "demo", settings: .init(lifetimeSeconds: 600, maximumLifetimeSeconds: 600, overlapSeconds: 600))
            _ = try await client.call(update)
            await agent.settle()
            let result = try await client.rotate()
            #expect(try #require(result.plan.retiring).expiresAt >= jwt.expiresAt)
            await agent.pass(86_399)
            _ = try await client.verify(jwt.jwt, now: agent.clock.now)
        }
    }
}
