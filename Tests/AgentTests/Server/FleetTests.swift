import AgentClient
import AgentProtocol
import Foundation
import IssuerStore
import IssuerStoreSupport
import KeyLifecycle
import Platform
import SoftHSMSupport
import Testing

@testable import Agent

@Suite("Several agents, one issuer")
struct FleetTests {
    @Test("each creates, rotates, revokes and deletes, and the others sign with the outcome once the reply says settled")
    func everyAgentChanges() async throws {
        try await FleetFixture.with { fleet in
            try await fleet[0].connected { client in
                let created = try await client.call(
                    IssuerCreateParameters(issuer: "demo", enableOIDCIssuer: true, settings: .init(algorithm: "ES256")))
                #expect(created.settlement?.settled == true && created.settlement?.agents.map(\.agent) == ["b", "c"])
            }
            var kid = ""
            for agent in fleet.agents {
                let signed = try await agent.sign()
                if kid.isEmpty { kid = signed.kid }
                #expect(signed.kid == kid)
            }
            let rotated = try await fleet[1].connected { try await $0.rotate() }
            #expect(rotated.settlement?.settled == true, "\(rotated)")
            #expect(rotated.settlement?.agents.allSatisfy { $0.outcome == "acknowledged" } == true)
            #expect(rotated.activeKid != kid && !rotated.warnings.contains { $0.contains("agent") }, "\(rotated.warnings)")
            for agent in fleet.agents { #expect(try await agent.sign().kid == rotated.activeKid) }
            let revoked = try await fleet[2].connected { try await $0.revoke(rotated.activeKid) }
            #expect(revoked.settlement?.settled == true && revoked.settlement?.keysDestroyed == true, "\(revoked)")
            for agent in fleet.agents {
                #expect(try await agent.sign().kid == revoked.activeKid)
                let keys = try await agent.connected { try await $0.keys("demo") }
                #expect(keys.first { $0.kid == rotated.activeKid }?.state == "revoked")
            }
            let deleted = try await fleet[0].connected { try await $0.call(IssuerDeleteParameters(issuer: "demo")) }
            #expect(deleted.settlement?.settled == true && deleted.settlement?.keysDestroyed == true)
            for agent in fleet.agents {
                #expect(try await refusal { _ = try await agent.sign() }.reason == .issuerNotFound)
            }
        }
    }

    @Test("the reply to a revocation names each agent's frontends and when each served what holds then, and health names them")
    func frontends() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            var frontends: [ServingFrontend] = []
            for agent in [fleet[0], fleet[1], fleet[1]] {
                frontends.append(try await ServingFrontend(agent.connection()))
            }
            let reader = fleet.store.handle(agent: "reader", incarnation: "reader", clock: { 0 })
            while try await reader.fleet().entries.first(where: { $0.member.id == "b" })?.report?.followers.count != 2 {
                await fleet[1].settle()
            }
            let revoked = try await fleet[0].connected { try await $0.revoke($0.sign().kid) }
            let settlement = try #require(revoked.settlement)
            #expect(settlement.settled && settlement.frontends?.map(\.outcome) == ["served"], "\(settlement)")
            #expect(settlement.agents.map { $0.frontends?.map(\.outcome) } == [["served", "served"]], "\(settlement)")
            #expect(settlement.agents[0].frontends?.allSatisfy { $0.pid == Int(getpid()) && $0.milliseconds != nil } == true)
            let health = try await fleet[0].connected { try await $0.health() }
            #expect(health.fleet?.agents?.first { $0.agent == "b" }?.followedBy?.map(\.staleAfterSeconds) == [120, 120])
            let deleted = try await fleet[0].connected { try await $0.call(IssuerDeleteParameters(issuer: "demo")) }
            let withdrawal = try #require(deleted.settlement)
            #expect(withdrawal.settled && withdrawal.frontends?.map(\.outcome) == ["served"], "\(withdrawal)")
            #expect(withdrawal.agents.map { $0.frontends?.map(\.outcome) } == [["served", "served"]], "\(withdrawal)")
            for frontend in frontends { await frontend.close() }
        }
    }

    @Test("a standby key is made once, and at rest the token holds exactly what is published")
    func oneStandby() async throws {
        try await FleetFixture.with { fleet in
            for name in ["one", "two"] { _ = try await fleet[0].connected { try await $0.create(name) } }
            for round in 0..<6 {
                _ = try await fleet[round % 3].connected { try await $0.rotate(round % 2 == 0 ? "one" : "two") }
            }
            for _ in 0..<3 { await fleet.pass(30) }
            let published = try await fleet.publishedKeys()
            #expect(published.count == 6)
            #expect(try fleet.privateKeysOnToken() == published)
            for agent in fleet.agents {
                // What was under way when time passed is looked at again: a trial that took too long, a clock that was told before.
                while try await agent.connected({ try await $0.health() }).status != "ok" { await fleet.pass(1) }
                let health = try await agent.connected { try await $0.health() }
                #expect(health.status == "ok", "\(health.problems)")
                #expect(health.fleet?.agents?.map(\.agent) == ["a", "b", "c"])
            }
        }
    }

    @Test("two rotations at the same moment through two agents are one: the former key stays valid")
    func simultaneousRotations() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            for round in 0..<4 {
                await fleet.settle()
                let (first, second) = (fleet[round % 2], fleet[1 - round % 2])
                let before = try await first.sign().kid
                // The second one's order has come, and can neither see nor say anything before the first one's is carried out.
                second.handle.set(.holdingRequests)
                async let late = second.connected { try await $0.rotate() }
                await second.handle.untilHeld(1)
                async let early = first.connected { try await $0.rotate() }
                // It is carried out, and its reply waits for the second agent.
                while try await first.sign().kid == before {}
                second.handle.set(.open)
                let result = try await late
                #expect(result.settlement?.settled == true)
                #expect(try await early.activeKid == result.activeKid)
                #expect(result.warnings.contains { $0.contains("another agent has done the same") }, "\(result)")
                let keys = try await first.connected { try await $0.keys("demo") }
                #expect(keys.first { $0.kid == before }?.state == "retiring")
                // Past the overlap.
                await fleet.pass(90_000)
                await fleet.settle()
                #expect(try await first.connected { try await $0.key("retiring") } == nil)
            }
        }
    }

    @Test("an order that comes once another agent's rotation is known is a second one")
    func secondRotation() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let before = try await fleet[0].sign().kid
            _ = try await fleet[0].connected { try await $0.rotate() }
            let second = try await fleet[1].connected { try await $0.rotate() }
            #expect(second.plan.revoked.contains(before) && second.settlement?.settled == true)
            #expect(try await fleet[0].sign().kid == second.activeKid)
        }
    }

    @Test("an agent that is cut off signs until its view has not been confirmed for too long, and again once it has")
    func cutOff() async throws {
        try await FleetFixture.with { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            fleet[2].handle.set(.refusing)
            fleet[2].clock.pass(40)
            await fleet[2].settle()
            _ = try await fleet[2].sign()
            let health = try await fleet[2].connected { try await $0.health() }
            #expect(health.status == "degraded" && health.store.state == "unavailable", "\(health)")
            fleet[2].clock.pass(25)
            let error = try await refusal { _ = try await fleet[2].sign() }
            #expect(error.reason == .storeUnavailable)
            #expect(try await fleet[2].connected { try await $0.health() }.status == "unavailable")
            _ = try await fleet[0].sign()
            fleet[2].handle.set(.open)
            // Time has passed for the others too, or their clocks would differ.
            for agent in fleet.agents.prefix(2) { agent.clock.pass(65) }
            await fleet.settle()
            _ = try await fleet[2].sign()
            #expect(try await fleet[2].connected { try await $0.health() }.status == "ok")
        }
    }

    @Test("a revocation waits for an agent that does not answer until that one cannot sign any more, and says so")
    func waitedOut() async throws {
        try await FleetFixture.with { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let kid = try await fleet[0].sign().kid
            fleet[2].handle.set(.holdingRequests)
            async let revoking = fleet[0].connected { try await $0.revoke(kid) }
            // What it says while it waits is that it waits.
            while try await fleet[1].sign().kid == kid {}
            fleet[0].clock.pass(61)
            fleet[2].clock.pass(61)
            #expect(try await refusal { _ = try await fleet[2].sign() }.reason == .storeUnavailable)
            fleet[0].clock.pass(2)
            let revoked = try await revoking
            #expect(revoked.settlement?.settled == true)
            #expect(revoked.settlement?.agents.map(\.outcome) == ["acknowledged", "waited-out"], "\(revoked)")
            #expect(revoked.warnings.contains { $0.contains("agent c") })
            fleet[2].handle.set(.open)
            await fleet[2].settle()
            #expect(try await fleet[2].sign().kid == revoked.activeKid)
        }
    }

    @Test("what another agent's revocation overtakes before it is handed over is signed with the next key")
    func revokedBeforeHandOver() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let kid = try await fleet[1].sign().kid
            let faults = fleet[1].auditFaults
            let writes = faults.switches.withLock { switches in
                switches.isWriteHanging = true
                return switches.writes
            }
            async let signing = fleet[1].sign()
            while faults.switches.withLock({ $0.writes }) == writes { try await Task.sleep(for: .milliseconds(2)) }
            // It has been signed, and waits for its record.
            async let revoking = fleet[0].connected { try await $0.revoke(kid) }
            while await fleet[1].server.registry.allIssuers.first?.ring.active?.kid == kid { await fleet[1].settle() }
            faults.set { $0.isWriteHanging = false }
            let revoked = try await revoking
            #expect(try await signing.kid == revoked.activeKid)
        }
    }

    @Test("an intent that has reached the store unanswered is looked after while its agent runs", arguments: [true, false])
    func undecidedIntent(hasArrived: Bool) async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            // What the agent says of itself may be lost as well.
            if hasArrived { fleet[0].handle.loseAnswers(3) } else { fleet[0].handle.loseRequests(3) }
            #expect(try await refusal { _ = try await fleet[0].connected { try await $0.create() } }.reason == .storeUnavailable)
            let reader = fleet.store.handle(agent: "reader", incarnation: "reader", clock: { 0 })
            func intents() async throws -> [GenerationIntent] { try await reader.view().contents.intents }
            #expect(try await intents().count == (hasArrived ? 1 : 0))
            for _ in 0..<6 { await fleet.pass(20) }
            #expect(try await intents().map(\.isTombstone) == (hasArrived ? [true] : []))
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            #expect(try await fleet[0].connected { try await $0.health() }.status == "ok")
        }
    }

    @Test("a change whose answer comes after another agent's deletion does not bring the issuer back")
    func deletedBeforeAnswer() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let kid = try await fleet[0].sign().kid
            let reader = fleet.store.handle(agent: "reader", incarnation: "reader", clock: { 0 })
            fleet[0].handle.set(.holdingAnswersToChanges)
            async let rotating = refusal { _ = try await fleet[0].connected { try await $0.rotate() } }
            while try await reader.view().contents.issuers.first?.ring.active?.kid == kid {
                try await Task.sleep(for: .milliseconds(2))
            }
            async let deleting = fleet[1].connected { try await $0.call(IssuerDeleteParameters(issuer: "demo")) }
            while try await reader.view().contents.issuers.first != nil { try await Task.sleep(for: .milliseconds(2)) }
            await fleet[0].server.fleet?.look()
            #expect(try await refusal { _ = try await fleet[0].sign() }.reason == .issuerNotFound)
            fleet[0].handle.set(.open)
            #expect(try await rotating.reason == .issuerNotFound)
            #expect(try await deleting.settlement?.settled == true)
            #expect(try await refusal { _ = try await fleet[0].sign() }.reason == .issuerNotFound)
            #expect(try await refusal { _ = try await fleet[0].connected { try await $0.discovery() } }.reason == .issuerNotFound)
        }
    }

    @Test("an agent whose lease had run out says again how far it has come, and is not waited out for that")
    func leaseRunOut() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            fleet.store.expireLeases(of: "b")
            await fleet[1].server.fleet?.renew()
            await fleet[1].server.fleet?.lookAtRoster()
            let reader = fleet.store.handle(agent: "reader", incarnation: "reader", clock: { 0 })
            while try await reader.fleet().entries.first(where: { $0.member.id == "b" })?.report == nil {
                await fleet[1].settle()
            }
            let rotated = try await fleet[0].connected { try await $0.rotate() }
            #expect(rotated.settlement?.agents.map(\.outcome) == ["acknowledged"])
        }
    }

    @Test("an agent that has stopped is not waited for")
    func left() async throws {
        try await FleetFixture.with { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet[2].stop()
            let rotated = try await fleet[0].connected { try await $0.rotate() }
            #expect(rotated.settlement?.agents.map(\.agent) == ["b"] && rotated.settlement?.settled == true)
        }
    }

    @Test("a key that another wrote into the store is not published, and nothing is signed for its issuer")
    func foreignKey() async throws {
        try await FleetFixture.with { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            _ = try await fleet[0].connected { try await $0.create("other") }
            await fleet.settle()
            let known = try await kids(of: fleet[1].connected { try await $0.discovery() }.jwks)
            await fleet.pass(45)
            for agent in fleet.agents { #expect(try await agent.secondsSinceConfirmation() < 45) }
            fleet.store.edit { issuers in
                let name = IssuerName("demo")!
                issuers[name] = issuers[name]?.withForeignStandby()
            }
            await fleet.settle()
            for agent in fleet.agents {
                // It may be that the token shows late what an agent has made; what signs is known.
                _ = try await agent.sign()
                #expect(try await kids(of: agent.connected { try await $0.discovery() }.jwks) == known)
            }
            await fleet.pass(11)
            for agent in fleet.agents {
                #expect(try await refusal { _ = try await agent.sign() }.reason == .issuerQuarantined)
                let refused = try await refusal { _ = try await agent.connected { try await $0.discovery() } }
                #expect(refused.reason == .issuerQuarantined)
                _ = try await agent.sign("other")
                let health = try await agent.connected { try await $0.health() }
                #expect(health.problems.contains { $0.message.contains("does not show its key") }, "\(health.problems)")
                // A look at the token, as after it was away, shows the keys of what was before.
                await agent.server.registry.checkToken()
                #expect(try await refusal { _ = try await agent.sign() }.reason == .issuerQuarantined)
            }
            // A frontend must not take what is published for what the store has.
            await fleet.pass(45)
            for agent in fleet.agents { #expect(try await agent.secondsSinceConfirmation() >= 45) }
            #expect(known.count == 2)
        }
    }

    @Test(
        "a key in use is not destroyed because another wrote so into the store, and none is while a record is doubtful"
    )
    func forgedDestructions() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            for name in ["demo", "other"] { _ = try await fleet[0].connected { try await $0.create(name) } }
            await fleet.settle()
            let published = try await fleet.publishedKeys()
            #expect(try fleet.privateKeysOnToken() == published)
            for key in try await fleet.keys(of: "demo") {
                fleet.store.order(
                    PendingDestruction(
                        keyID: key.keyID, issuer: IssuerName(key.state == .active ? "demo" : "other")!,
                        requestedAt: Timestamp(seconds: 0), publicKey: key.publicKey))
            }
            for _ in 0..<3 { await fleet.pass(20) }
            for agent in fleet.agents {
                _ = try await agent.sign()
                let problems = try await agent.connected { try await $0.health() }.problems
                #expect(problems.contains { $0.message.contains("it is left alone") }, "\(problems)")
            }
            #expect(try fleet.privateKeysOnToken() == published)

            // Which keys a record that is not believed would have in use, nobody knows.
            fleet.store.setUnreadable([IssuerName("demo")!: "its seal is wrong"])
            _ = try await fleet[0].connected { try await $0.rotate("other") }
            let revoked = try await fleet[0].connected { try await $0.rotate("other") }
            #expect(revoked.settlement?.keysDestroyed == false)
            for _ in 0..<3 { await fleet.pass(20) }
            #expect(try fleet.privateKeysOnToken().isSuperset(of: published))
        }
    }

    @Test("an agent that starts while one record is not believed serves the other issuers, and that one once it is")
    func startsBesideUnbelieved() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            for name in ["demo", "other"] { _ = try await fleet[0].connected { try await $0.create(name) } }
            await fleet.settle()
            fleet.store.setUnreadable([IssuerName("demo")!: "its seal is wrong"])
            await fleet[1].stop()
            try await fleet[1].start()
            _ = try await fleet[1].sign("other")
            #expect(try await refusal { _ = try await fleet[1].sign() }.reason == .issuerNotFound)
            let problems = try await fleet[1].connected { try await $0.health() }.problems
            #expect(problems.contains { $0.message.contains("its seal is wrong") }, "\(problems)")
            fleet.store.setUnreadable([:])
            await fleet.settle()
            for agent in fleet.agents { _ = try await agent.sign() }
        }
    }

    @Test("a store that went back an hour is not believed by an agent that knew more of it")
    func wentBack() async throws {
        try await FleetFixture.with { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let backup = fleet.store.backup()
            _ = try await fleet[0].connected { try await $0.rotate() }
            _ = try await fleet[0].connected { try await $0.rotate() }
            await fleet.settle()
            let newest = fleet.store.backup()
            fleet.store.restore(backup)
            await fleet.settle()
            for agent in fleet.agents {
                #expect(try await refusal { _ = try await agent.sign() }.reason == .issuerQuarantined)
                #expect(
                    try await agent.connected { try await $0.health() }.problems.contains { $0.message.contains("older state") })
            }
            // Put back to what they know, it is believed again.
            fleet.store.restore(newest)
            await fleet.settle()
            for agent in fleet.agents { _ = try await agent.sign() }
        }
    }

    @Test("what a killed agent has left to do is done by another one")
    func takenOver() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            // It can commit, and then do nothing any more, as one that is killed then.
            try await fleet[0].server.hsm.custody.perform { _ in }
            fleet[0].server.hsm.custody.leaveDestructions()
            let revoked = try await fleet[0].connected { client in
                try await client.revoke(client.sign().kid)
            }
            #expect(revoked.settlement?.settled == true)
            fleet[0].handle.set(.holdingRequests)
            fleet[0].clock.pass(70)
            for _ in 0..<6 {
                fleet[1].clock.pass(15)
                await fleet[1].settle()
            }
            let published = try await fleet.publishedKeys()
            #expect(published.count == 2)
            #expect(try fleet.privateKeysOnToken() == published)
            fleet[0].handle.set(.open)
        }
    }

    @Test("a revocation whose agent is killed between its two commits is carried on by another one")
    func begunRevocation() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let kid = try await fleet[0].sign().kid
            let frontend = try await fleet[0].connection()
            // It says nothing of what it serves: the fresh key waits for it.
            _ = try await frontend.watch(acknowledges: true)
            async let revoking = fleet[0].connected { try await $0.revoke(kid) }
            let reader = fleet.store.handle(agent: "reader", incarnation: "reader", clock: { 0 })
            var begun: BegunRevocation?
            while begun == nil { begun = try await reader.view().contents.issuers.first?.revoking }
            #expect(begun?.kids == [kid] && begun?.by?.agent == "a")
            fleet[0].handle.set(.holdingRequests)
            await fleet[1].settle()
            #expect(try await fleet[1].sign().kid == kid)
            while try await reader.view().contents.issuers.first?.ring[kid]?.state != .revoked {
                fleet[1].clock.pass(15)
                await fleet[1].settle()
            }
            while try await reader.view().contents.destructions.isEmpty == false { await fleet[1].settle() }
            #expect(try await fleet[1].sign().kid == begun?.successor)
            #expect(try await reader.view().contents.issuers.first?.revoking == nil)
            // It was not killed, as it turns out, and finds that what it was to do has been done.
            fleet[0].handle.set(.open)
            await frontend.close()
            let revoked = try await revoking
            #expect(revoked.activeKid == begun?.successor && revoked.settlement?.settled == true, "\(revoked)")
            #expect(try await fleet[0].sign().kid == begun?.successor)
        }
    }

    @Test("keys do not retire by time while the clocks of the agents differ")
    func clocks() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            _ = try await fleet[0].connected { try await $0.rotate() }
            await fleet.settle()
            try await fleet[1].handle.renew(clock: (fleet[1].clock.now + 3_600) * 1_000)
            while await fleet[0].server.fleet?.roster.clockDifferences(of: fleet[0].server.fleet?.member.incarnation ?? "")
                .isEmpty != false
            {
                await fleet[0].server.fleet?.lookAtRoster()
            }
            fleet[0].clock.pass(100_000)
            await fleet[0].settle()
            #expect(try await fleet[0].connected { try await $0.key("retiring") } != nil)
            let health = try await fleet[0].connected { try await $0.health() }
            #expect(health.clock.state == "suspect")
            #expect(health.problems.contains { $0.message.contains("agent b is") }, "\(health.problems)")
        }
    }

    @Test("an agent whose clock jumps ahead hands out nothing that outlives its key, and ends no key that the others need")
    func jump() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.pass(1)
            fleet[0].clock.jump(7_200)
            let signed = try await fleet[0].connected { try await $0.sign(lifetime: IssuerSettings.maximumLifetimeBound) }
            let rotated = try await fleet[1].connected { try await $0.rotate() }
            let retiring = try #require(rotated.plan.retiring)
            #expect(retiring.kid == signed.kid && signed.expiresAt.seconds <= retiring.expiresAt.seconds, "\(signed) \(retiring)")
            await fleet[0].settle()
            await fleet.settle()
            #expect(try await fleet[1].connected { try await $0.key("retiring") }?.kid == signed.kid)
            // The clock is right again.
            fleet[0].clock.jump(-7_200)
            #expect(try await fleet[0].sign().kid == rotated.activeKid)
        }
    }

    @Test("an agent whose id another start has taken signs nothing any more")
    func sameID() async throws {
        try await FleetFixture.with(["a", "b"]) { fleet in
            _ = try await fleet[0].connected { try await $0.create() }
            await fleet.settle()
            let other = fleet.store.handle(agent: "b", incarnation: "another", machine: "b") { 0 }
            try await other.join(FleetMember(id: "b", incarnation: "another", host: "clone", release: "1", staleness: 60))
            await fleet[1].settle()
            await fleet[1].server.fleet?.renew()
            let error = try await refusal { _ = try await fleet[1].sign() }
            #expect(error.reason == .storeUnavailable)
            let health = try await fleet[1].connected { try await $0.health() }
            #expect(
                health.status == "unavailable" && health.problems.contains { $0.message.contains("nothing is signed any more") })
        }
    }
}

extension Issuer {
    /// As somebody might write it who has no session with the token.
    fileprivate func withForeignStandby() -> Issuer {
        var keys = ring.keys
        let active = ring.active!
        keys.removeAll { $0.state == .standby }
        keys.append(
            SigningKey(
                kid: "c3RyYW5nZXI", keyID: KeyID([UInt8](repeating: 7, count: KeyID.length))!, algorithm: active.algorithm,
                publicKey: active.publicKey, state: .standby, publishedAt: active.publishedAt, knownFrom: active.knownFrom))
        return Issuer(
            name: name, generation: generation + 1, createdAt: createdAt, changedAt: changedAt, settings: settings,
            profile: profile, acceptedIssuers: acceptedIssuers, ring: KeyRing(keys: keys), lastRotationAt: lastRotationAt,
            maxAgeHorizon: maxAgeHorizon)
    }
}

extension FleetAgent {
    /// How old it says that its word is.
    fileprivate func secondsSinceConfirmation() async throws -> Int {
        let version = try await connected { try await $0.call(VersionParameters()) }
        return try #require(version.confirmedSecondsAgo)
    }
}
