import KeyLifecycle
import Testing

@Suite("scheduled rotation")
struct ScheduledRotationTests {
    let settings = IssuerSettings(rotateEvery: 10 * day)

    @Test("it comes when its interval is over, not a second before", arguments: [(-1, false), (0, true), (5 * day, true)])
    func due(offset: Int, rotates: Bool) throws {
        let issuer = sampleIssuer("k1 active, k2 standby", settings: settings)
        #expect(issuer.nextScheduledRotation == start)
        let plan = issuer.planningDueRotation(at: start + offset)
        #expect((plan != nil) == rotates)
        guard let plan else { return }
        #expect(plan.revoked.isEmpty)
        #expect(!plan.isRevoking)
        #expect(plan.exposure == 0)
        let after = try issuer.executing(plan).after
        #expect(shape(after) == "k1 retiring, k2 active")
        #expect(after.nextScheduledRotation == nil)
        #expect(
            try after.publishingStandby(sampleKey(3), at: start + offset).after.nextScheduledRotation == start + offset + 10 * day
        )
    }

    @Test("it waits until every relying party knows the standby key")
    func waitsForLead() throws {
        let settings = IssuerSettings(jwksMaxAge: 300, rotateEvery: 10 * day)
        let issuer = try sampleIssuer("k1 active", settings: settings).publishingStandby(sampleKey(2), at: start + 100).after
        #expect(issuer.nextScheduledRotation == start + 400)
        #expect(issuer.planningDueRotation(at: start + 399) == nil)
        #expect(issuer.planningDueRotation(at: start + 400)?.exposure == 0)
    }

    @Test("it waits until no key is retiring, and never revokes one")
    func waitsForRetiring() throws {
        let issuer = sampleIssuer("k1 retiring, k2 active, k3 standby", settings: settings)
        #expect(issuer.nextScheduledRotation == start + day / 2)
        #expect(issuer.planningDueRotation(at: start) == nil)
        #expect(issuer.planningDueRotation(at: start + 100 * day) == nil)
        let retired = try #require(issuer.expiring(at: start + day / 2)).after
        let plan = try #require(retired.planningDueRotation(at: start + day / 2))
        #expect(plan.revoked.isEmpty)
        #expect(shape(try retired.executing(plan).after) == "k1 retired, k2 retiring, k3 active")
    }

    @Test("a rotation by hand starts the interval anew")
    func manualRotation() throws {
        let issuer = try sampleIssuer("k1 active, k2 standby", settings: settings).rotated(at: start + -day)
            .publishingStandby(sampleKey(3), at: start + -day).after
        #expect(issuer.nextScheduledRotation == start + 9 * day)
    }

    @Test("there is none without a schedule, and none in sight without a standby key")
    func none() {
        #expect(sampleIssuer("k1 active, k2 standby").planningDueRotation(at: start + 1_000 * day) == nil)
        let bare = sampleIssuer("k1 active", settings: settings)
        #expect(bare.nextScheduledRotation == nil)
        #expect(bare.planningDueRotation(at: start + 1_000 * day) == nil)
    }

    @Test("a clock that stands before the last change does not rotate by itself")
    func clockBehind() throws {
        let issuer = try sampleIssuer("k1 active, k2 standby", settings: settings).rotated(at: start)
            .publishingStandby(sampleKey(3), at: start).after
        #expect(issuer.planningDueRotation(at: start + -20 * day) == nil)
    }
}
