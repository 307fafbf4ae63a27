import KeyLifecycle
import Testing

@Suite("revoke-key")
struct RevocationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let before: String
        var standby = true
        let kid: String
        var canGenerate = true
        let after: String
        let destroyed: [String]
        var standbyFollows = true
    }

    @Test(
        "each published key goes at once",
        arguments: [
            Case(
                testDescription: "active: a fresh key takes over, the standby key is discarded", before: "k1 active, k2 standby",
                kid: "k1", after: "k1 revoked, k2 revoked, k9 active", destroyed: ["k2", "k1"]),
            Case(
                testDescription: "active: a retiring key stays", before: "k1 retiring, k2 active, k3 standby", kid: "k2",
                after: "k1 retiring, k2 revoked, k3 revoked, k9 active", destroyed: ["k3", "k2"]),
            Case(
                testDescription: "active, without a standby key", before: "k1 active", standby: false, kid: "k1",
                after: "k1 revoked, k9 active", destroyed: ["k1"], standbyFollows: false),
            Case(
                testDescription: "retiring: as a second rotation", before: "k1 retiring, k2 active, k3 standby", kid: "k1",
                after: "k1 revoked, k2 retiring, k3 revoked, k9 active", destroyed: ["k3", "k1"]),
            Case(
                testDescription: "standby: as a second rotation", before: "k1 retiring, k2 active, k3 standby", kid: "k3",
                after: "k1 revoked, k2 retiring, k3 revoked, k9 active", destroyed: ["k3", "k1"]),
            Case(
                testDescription: "standby, with no key retiring: the active key retires", before: "k1 active, k2 standby",
                kid: "k2", after: "k1 retiring, k2 revoked, k9 active", destroyed: ["k2"]),
            Case(
                testDescription: "active, no generator: the standby key takes over", before: "k1 active, k2 standby", kid: "k1",
                canGenerate: false, after: "k1 revoked, k2 active", destroyed: ["k1"]),
            Case(
                testDescription: "active, no generator: the retiring key stays", before: "k1 retiring, k2 active, k3 standby",
                kid: "k2", canGenerate: false, after: "k1 retiring, k2 revoked, k3 active", destroyed: ["k2"]),
            Case(
                testDescription: "retiring, no generator: the standby key takes over",
                before: "k1 retiring, k2 active, k3 standby", kid: "k1", canGenerate: false,
                after: "k1 revoked, k2 retiring, k3 active", destroyed: ["k1"]),
            Case(
                testDescription: "retiring, no generator and no standby key: the active key stays",
                before: "k1 retiring, k2 active", kid: "k1", canGenerate: false, after: "k1 revoked, k2 active",
                destroyed: ["k1"], standbyFollows: false),
            Case(
                testDescription: "standby, no generator: the others stay", before: "k1 retiring, k2 active, k3 standby",
                kid: "k3", canGenerate: false, after: "k1 retiring, k2 active, k3 revoked", destroyed: ["k3"]),
        ])
    func transition(_ row: Case) throws {
        let issuer = sampleIssuer(row.before, settings: IssuerSettings(standby: row.standby))
        let plan = try issuer.planningRevocation(of: row.kid, at: start, canGenerate: row.canGenerate)
        let outcome = try issuer.carryingOut(plan, fresh: 9, at: start)
        #expect(shape(outcome.issuer) == row.after)
        #expect(outcome.destroyed == row.destroyed)
        #expect(plan.isRevoking)
        #expect(plan.exposure == 30)
        #expect(plan.standbyFollows == row.standbyFollows)
        #expect(plan.revoked.contains(row.kid))
        #expect(Set(outcome.executed.revoked) == Set(row.destroyed))
        #expect(outcome.issuer.ring[row.kid]?.revokedAt == start)
        #expect(outcome.issuer.ring.violations.isEmpty)
    }

    @Test("a retiring key that stays keeps its end")
    func retiringKeepsItsEnd() throws {
        let issuer = sampleIssuer("k1 retiring, k2 active, k3 standby")
        let plan = try issuer.planningRevocation(of: "k2", at: start)
        #expect(plan.retiring?.kid == "k1")
        #expect(plan.retiring?.expiresAt == issuer.ring["k1"]?.expiresAt)
        let after = try issuer.carryingOut(plan, fresh: 9, at: start).issuer
        #expect(after.ring["k1"] == issuer.ring["k1"])
    }

    @Test("discarding a standby key without a generator is no rotation")
    func discardIsNoRotation() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        let plan = try issuer.planningRevocation(of: "k2", at: start, canGenerate: false)
        let after = try issuer.executing(plan).after
        #expect(plan.incoming == nil)
        #expect(after.lastRotationAt == nil)
        #expect(after.needsStandby)
    }

    @Test("revoking the only key there is, with none to be had, is refused")
    func noKeyLeft() {
        let issuer = sampleIssuer("k1 retiring, k2 active")
        #expect(refusal { _ = try issuer.planningRevocation(of: "k2", at: start, canGenerate: false) } == .noKeyLeft)
    }

    @Test("a kid that is unknown, retired or revoked already is not found", arguments: ["k1", "k2", "k4", ""])
    func notFound(kid: String) {
        let issuer = sampleIssuer("k1 retired, k2 revoked, k3 active")
        #expect(refusal { _ = try issuer.planningRevocation(of: kid, at: start) } == .keyNotFound)
    }

    @Test("another generation is a conflict, before the kid is looked at", arguments: [6, 8, 0, -1])
    func staleGeneration(expected: Int) {
        let issuer = sampleIssuer("k1 active, k2 standby", generation: 7)
        #expect(refusal { _ = try issuer.planningRevocation(of: "none", at: start, ifGeneration: expected) } == .conflict)
        #expect(refusal { _ = try issuer.planningRotation(at: start, ifGeneration: expected) } == .conflict)
        #expect(refusal { _ = try issuer.planningRotation(at: start, ifGeneration: 7) } == nil)
    }

    @Test(
        "one whose fresh key is published is noted until it is carried out, and goes on with that key",
        arguments: [
            ("k1 active, k2 standby", "k1", "k1 revoked, k2 revoked, k9 active"),
            ("k1 active", "k1", "k1 revoked, k9 active"),
            ("k1 retiring, k2 active, k3 standby", "k2", "k1 retiring, k2 revoked, k3 revoked, k9 active"),
            ("k1 retiring, k2 active, k3 standby", "k1", "k1 revoked, k2 retiring, k3 revoked, k9 active"),
        ])
    func begun(before: String, kid: String, after: String) throws {
        let issuer = sampleIssuer(before)
        let published = try publishing(sampleKey(9), revoking: kid, of: issuer)
        #expect(published.revoking == BegunRevocation(kids: [kid], successor: "k9", begunAt: start, by: agent))
        // Whatever becomes of the issuer meanwhile.
        let changed = try #require(
            try published.updating(
                IssuerUpdate(settings: nil, enabled: true, freshURL: "https://a/", immediately: false), at: start + 1))
        let met = try changed.after
        #expect(met.revoking == published.revoking)
        let plan = try met.planningRevocation(of: kid, at: start + 60)
        #expect(plan.freshKey == nil && plan.isRevoking && plan.exposure == 30)
        let carriedOut = try met.executing(plan).after
        #expect(shape(carriedOut) == after && carriedOut.revoking == nil)
        #expect(
            try published.carryingOut(published.planningRevocation(of: kid, at: start), fresh: 10, at: start).issuer.revoking
                == nil)
    }

    @Test("one of a standby key is carried out by what publishes the fresh key: nothing is left of it")
    func begunOfStandby() throws {
        let published = try publishing(sampleKey(9), revoking: "k2", of: sampleIssuer("k1 active, k2 standby"))
        #expect(shape(published) == "k1 active, k2 revoked, k9 standby" && published.revoking == nil)
    }

    @Test("a rotation that comes in between leaves the order, which is planned anew then, and one that revokes the key ends it")
    func begunAndRotated() throws {
        let published = try publishing(sampleKey(9), revoking: "k1", of: sampleIssuer("k1 active, k2 standby"))
        let rotated = try published.executing(published.planningRotation(at: start)).after
        #expect(shape(rotated) == "k1 retiring, k2 revoked, k9 active" && rotated.revoking?.kids == ["k1"])
        #expect(try rotated.planningRevocation(of: "k1", at: start).freshKey != nil)
        #expect(try rotated.rotated(fresh: 10, at: start).revoking == nil)
    }

    @Test("two that are begun are ended at once, by the key of the later one")
    func begunTwice() throws {
        let issuer = sampleIssuer("k1 retiring, k2 active, k3 standby")
        let first = try publishing(sampleKey(9), revoking: "k1", of: issuer)
        let plan = try first.withoutBegun.planningRevocation(of: "k2", at: start)
        let second = try first.publishingFresh(sampleKey(10), for: plan, revoking: "k2", by: nil, at: start + 5).after
        #expect(second.revoking == BegunRevocation(kids: ["k1", "k2"], successor: "k10", begunAt: start, by: nil))
        let after = try second.executing(second.planningRevocation(of: "k1", at: start + 5)).after
        #expect(shape(after) == "k1 revoked, k2 revoked, k3 revoked, k9 revoked, k10 active" && after.revoking == nil)
    }

    private let agent = BegunRevocation.Initiator(agent: "a", incarnation: "1")

    private func publishing(_ key: GeneratedKey, revoking kid: String, of issuer: Issuer) throws -> Issuer {
        let plan = try issuer.planningRevocation(of: kid, at: start)
        return try issuer.publishingFresh(key, for: plan, revoking: kid, by: agent, at: start).after
    }
}

extension Issuer {
    /// As an agent knows it that has not heard of an order.
    fileprivate var withoutBegun: Issuer {
        Issuer(
            name: name, generation: generation, createdAt: createdAt, changedAt: changedAt, settings: settings, profile: profile,
            acceptedIssuers: acceptedIssuers, ring: ring, lastRotationAt: lastRotationAt, maxAgeHorizon: maxAgeHorizon)
    }
}
