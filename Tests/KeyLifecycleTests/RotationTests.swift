import KeyLifecycle
import Testing

@Suite("rotate")
struct RotationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let before: String
        var standby = true
        let after: String
        let destroyed: [String]
        let isRevoking: Bool
        let commits: Int
    }

    @Test(
        "each ring rotates as drawn",
        arguments: [
            Case(
                testDescription: "the standby key takes over, the active key retires", before: "k1 active, k2 standby",
                after: "k1 retiring, k2 active", destroyed: [], isRevoking: false, commits: 1),
            Case(
                testDescription: "without a standby key a fresh key takes over", before: "k1 active",
                after: "k1 retiring, k9 active", destroyed: [], isRevoking: false, commits: 2),
            Case(
                testDescription: "with the standby switched off a fresh key takes over", before: "k1 active", standby: false,
                after: "k1 retiring, k9 active", destroyed: [], isRevoking: false, commits: 2),
            Case(
                testDescription: "inside the overlap the retiring key is revoked, the standby key discarded for a fresh one",
                before: "k1 retiring, k2 active, k3 standby", after: "k1 revoked, k2 retiring, k3 revoked, k9 active",
                destroyed: ["k3", "k1"], isRevoking: true, commits: 2),
            Case(
                testDescription: "inside the overlap, literal AKS: key 1 goes at once, 2 and 3 are valid",
                before: "k1 retiring, k2 active", standby: false, after: "k1 revoked, k2 retiring, k9 active",
                destroyed: ["k1"], isRevoking: true, commits: 2),
            Case(
                testDescription: "ended keys stay as they are", before: "k1 retired, k2 revoked, k3 active, k4 standby",
                after: "k1 retired, k2 revoked, k3 retiring, k4 active", destroyed: [], isRevoking: false, commits: 1),
        ])
    func transition(_ row: Case) throws {
        let issuer = sampleIssuer(row.before, settings: IssuerSettings(standby: row.standby))
        let plan = try issuer.planningRotation(at: start)
        let outcome = try issuer.carryingOut(plan, fresh: 9, at: start)
        #expect(shape(outcome.issuer) == row.after)
        #expect(outcome.destroyed == row.destroyed)
        #expect(plan.isRevoking == row.isRevoking)
        #expect(plan.standbyFollows == row.standby)
        #expect(outcome.issuer.generation == issuer.generation + row.commits)
        #expect(outcome.issuer.lastRotationAt == start)
        #expect(outcome.issuer.ring.retiring?.expiresAt == start + day)
        #expect(outcome.issuer.ring.retiring?.retiringAt == start)
        #expect(outcome.issuer.ring.active?.activatedAt == start)
        #expect(outcome.issuer.ring.violations.isEmpty)
    }

    @Test("of a plan that somebody else has carried out, what that one left is not said to end")
    func carriedOutElsewhere() throws {
        // Their fresh key is the standby key by which this one was planned: the plan would have it go.
        let asked = sampleIssuer("k1 retiring, k2 active, k3 standby")
        let theirs = sampleIssuer("k1 revoked, k2 retiring, k3 active", generation: 8)
        let plan = try asked.planningRotation(at: start)
        #expect(plan.revoked == ["k1", "k3"])
        let found = plan.asCarriedOut(by: theirs)
        #expect(found.revoked == ["k1"])
        #expect(found.retiring?.kid == "k2" && found.retiring?.expiresAt == theirs.ring.retiring?.expiresAt)
    }

    @Test("a revoked key keeps the moment it was revoked at and loses its end")
    func revokedTimes() throws {
        let issuer = try sampleIssuer("k1 retiring, k2 active, k3 standby").rotated(fresh: 9, at: start)
        for kid in ["k1", "k3"] {
            #expect(issuer.ring[kid]?.revokedAt == start)
            #expect(issuer.ring[kid]?.expiresAt == nil)
        }
    }

    @Test("the dry run of a rotation onto the standby key is the very plan that is executed")
    func dryRunStandby() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        let dryRun = try issuer.planningRotation(at: start)
        let outcome = try issuer.carryingOut(issuer.planningRotation(at: start), fresh: 9, at: start)
        #expect(outcome.executed == dryRun)
        #expect(dryRun.incoming == .standby(kid: "k2", algorithm: .rs256))
        #expect(dryRun.retiring?.kid == "k1")
        #expect(dryRun.retiring?.expiresAt == outcome.issuer.ring["k1"]?.expiresAt)
        #expect(dryRun.revoked.isEmpty)
        #expect(dryRun.generation == issuer.generation)
        #expect(dryRun.at == start)
    }

    @Test(
        "the dry run of a rotation onto a fresh key differs from the executed plan by the kid and the generation only",
        arguments: ["k1 active", "k1 retiring, k2 active, k3 standby"])
    func dryRunFresh(shape: String) throws {
        let issuer = sampleIssuer(shape)
        let dryRun = try issuer.planningRotation(at: start)
        let outcome = try issuer.carryingOut(issuer.planningRotation(at: start), fresh: 9, at: start)
        #expect(dryRun.incoming == .fresh(.rs256))
        #expect(outcome.executed.incoming == .standby(kid: "k9", algorithm: .rs256))
        #expect(outcome.executed.generation == dryRun.generation + 1)
        #expect(outcome.executed.issuer == dryRun.issuer)
        #expect(outcome.executed.at == dryRun.at)
        #expect(outcome.executed.retiring == dryRun.retiring)
        #expect(outcome.executed.revoked == dryRun.revoked)
        #expect(outcome.executed.isRevoking == dryRun.isRevoking)
        #expect(outcome.executed.standbyFollows == dryRun.standbyFollows)
        #expect(outcome.executed.exposure == dryRun.exposure)
    }

    @Test("planning changes nothing: the same plan comes out again")
    func planningIsPure() throws {
        let issuer = sampleIssuer("k1 retiring, k2 active, k3 standby")
        #expect(try issuer.planningRotation(at: start) == issuer.planningRotation(at: start))
    }

    @Test(
        "exposure names the seconds for which relying parties can be surprised",
        arguments: [
            (0, 30), (1, 29), (29, 1), (30, 0), (31, 0), (day, 0),
        ])
    func standbyExposure(age: Int, exposure: Int) throws {
        let issuer = try sampleIssuer("k1 active").publishingStandby(sampleKey(2), at: start).after
        let plan = try issuer.planningRotation(at: start + age)
        #expect(plan.exposure == exposure)
        #expect(plan.incoming == .standby(kid: "k2", algorithm: .rs256))
    }

    @Test("a rotation that revokes is exposed for the whole max-age, one onto a fresh key as well")
    func freshExposure() throws {
        let settings = IssuerSettings(jwksMaxAge: 120)
        #expect(
            try sampleIssuer("k1 retiring, k2 active, k3 standby", settings: settings).planningRotation(at: start).exposure == 120
        )
        #expect(try sampleIssuer("k1 active", settings: settings).planningRotation(at: start).exposure == 120)
    }

    @Test("the overlap lasts longer where the lifetime bound was lowered: what was signed before still verifies")
    func loweredBounds() throws {
        let lowered = IssuerSettings(maximumLifetime: hour, overlap: 2 * hour)
        let issuer = try #require(try sampleIssuer("k1 active, k2 standby").updating(settings: lowered, at: start)).after
        #expect(try issuer.planningRotation(at: start + 60).retiring?.expiresAt == start + day)
        #expect(try issuer.planningRotation(at: start + day).retiring?.expiresAt == start + day + 2 * hour)
    }

    @Test("lowering a bound twice keeps the latest end, raising it in between as well")
    func loweredTwice() throws {
        var issuer = sampleIssuer("k1 active, k2 standby")
        for (maximum, offset) in [(2 * hour, 0), (3 * hour, 10), (hour, 20)] {
            let settings = IssuerSettings(maximumLifetime: maximum, overlap: 3 * hour)
            issuer = try #require(try issuer.updating(settings: settings, at: start + offset)).after
        }
        #expect(try issuer.planningRotation(at: start + 30).retiring?.expiresAt == start + day)
        #expect(try issuer.planningRotation(at: start + day).retiring?.expiresAt == start + day + 3 * hour)
    }

    @Test("the next key does not inherit the longer overlap of the one before")
    func nextKeyStartsAnew() throws {
        let lowered = IssuerSettings(maximumLifetime: hour, overlap: 2 * hour)
        let issuer = try #require(try sampleIssuer("k1 active, k2 standby").updating(settings: lowered, at: start)).after
            .rotated(at: start)
        #expect(issuer.ring.retiring?.expiresAt == start + day)
        #expect(try issuer.planningRotation(at: start + 60).retiring?.expiresAt == start + 60 + 2 * hour)
    }

    @Test("a JWT signed before the clock was set back still verifies through the overlap")
    func clockSetBack() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        let signed = try ClaimsPolicy(issuer).grant(.asking(lifetime: day), at: start + hour)
        let known = issuer.havingSigned(until: Timestamp(seconds: signed.expiresAt))
        #expect(known.generation == issuer.generation)
        #expect(try known.planningRotation(at: start).retiring?.expiresAt == start + hour + day)
        #expect(try known.havingSigned(until: start).planningRotation(at: start).retiring?.expiresAt == start + hour + day)
        #expect(try known.planningRotation(at: start + 2 * hour).retiring?.expiresAt == start + 2 * hour + day)
    }

    @Test("a clock that stands before the last change does not date a rotation before it")
    func clockBehind() throws {
        let issuer = try sampleIssuer("k1 active").publishingStandby(sampleKey(2), at: start).after
        let plan = try issuer.planningRotation(at: start + -5 * day)
        #expect(plan.at == start)
        #expect(plan.exposure == 30)
        let rotated = try issuer.executing(plan).after
        #expect(rotated.changedAt == start)
        #expect(rotated.ring.retiring?.expiresAt == start + day)
    }
}

extension Issuer {
    func updating(settings: IssuerSettings, fresh: GeneratedKey? = nil, at moment: Timestamp) throws -> IssuerChange? {
        try updating(
            IssuerUpdate(settings: settings, enabled: nil, freshURL: "https://unused/", immediately: false),
            freshStandby: fresh, at: moment)
    }

    func updating(enabled: Bool?, url: String = "https://unused/", immediately: Bool = false, at moment: Timestamp) throws
        -> IssuerChange?
    {
        try updating(
            IssuerUpdate(settings: nil, enabled: enabled, freshURL: url, immediately: immediately), at: moment)
    }
}

extension ClaimsFacts {
    static func asking(
        iss: String? = nil, aud: Bool = true, iat: Int64? = nil, nbf: Int64? = nil, exp: Int64? = nil, lifetime: Int? = nil,
        complete: Bool = false
    ) -> ClaimsFacts {
        ClaimsFacts(
            issuer: iss, hasAudience: aud, issuedAt: iat, notBefore: nbf, expiresAt: exp, lifetime: lifetime,
            isComplete: complete)
    }
}
