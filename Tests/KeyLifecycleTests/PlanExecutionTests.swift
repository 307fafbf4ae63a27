import KeyLifecycle
import Testing

@Suite("carrying a plan out")
struct PlanExecutionTests {
    @Test("a fresh key is published as standby first, in place of the standby key, while the active key signs on")
    func publishesFirst() throws {
        let issuer = sampleIssuer("k1 retiring, k2 active, k3 standby")
        let plan = try issuer.planningRotation(at: start)
        let change = try issuer.publishingFresh(sampleKey(9), for: plan, at: start)
        let published = try change.after
        #expect(shape(published) == "k1 retiring, k2 active, k3 revoked, k9 standby")
        #expect(kids(change.destroyed) == ["k3"])
        #expect(published.generation == issuer.generation + 1)
        #expect(published.ring["k9"]?.knownFrom == start + 30)
        #expect(published.lastRotationAt == nil)
    }

    @Test("a continued plan counts the overlap from the moment the old key stops signing")
    func continuedOverlap() throws {
        let issuer = sampleIssuer("k1 active")
        let plan = try issuer.planningRotation(at: start)
        let outcome = try issuer.carryingOut(plan, fresh: 9, at: start, lead: 2)
        #expect(plan.retiring?.expiresAt == start + day)
        #expect(outcome.executed.at == start + 2)
        #expect(outcome.issuer.ring["k1"]?.expiresAt == start + 2 + day)
        #expect(outcome.executed.exposure == 28)
    }

    @Test("a plan is executed once: the generation it was made for is gone then")
    func executedOnce() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        let plan = try issuer.planningRotation(at: start)
        let after = try issuer.executing(plan).after
        #expect(refusal { _ = try after.executing(plan) } == .conflict)
        #expect(refusal { _ = try after.publishingFresh(sampleKey(9), for: plan, at: start) } == .conflict)
    }

    @Test("a plan that still wants a key is not executed")
    func wantsKey() throws {
        let issuer = sampleIssuer("k1 active")
        let plan = try issuer.planningRotation(at: start)
        #expect(refusal { _ = try issuer.executing(plan) } == .conflict)
    }

    @Test("a plan takes the key it wants: none without need, none of another algorithm")
    func rightKey() throws {
        let known = sampleIssuer("k1 active, k2 standby")
        let ordinary = try known.planningRotation(at: start)
        #expect(refusal { _ = try known.publishingFresh(sampleKey(9), for: ordinary, at: start) } == .conflict)
        let bare = sampleIssuer("k1 active")
        let fresh = try bare.planningRotation(at: start)
        #expect(refusal { _ = try bare.publishingFresh(sampleKey(9, .es256), for: fresh, at: start) } == .conflict)
    }

    @Test("the plan of one issuer does not run on another")
    func otherIssuer() throws {
        let plan = try sampleIssuer("k1 active, k2 standby").planningRotation(at: start)
        let other = try Issuer.creating(
            sampleName("other"), settings: IssuerSettings(), url: nil, firstKey: sampleKey(1), at: start
        )
        .after
        #expect(refusal { _ = try other.executing(plan) } == .conflict)
    }

    @Test("a key that retired while the fresh key was being fetched does not come back")
    func retiredMeanwhile() throws {
        let issuer = sampleIssuer("k1 retiring, k2 active, k3 standby")
        let plan = try issuer.planningRevocation(of: "k2", at: start)
        let published = try issuer.publishingFresh(sampleKey(9), for: plan, at: start).after
        let expired = try #require(published.expiring(at: start + day)).after
        let continued = expired.continuing(plan, withPublished: "k9", at: start + day)
        let after = try expired.executing(continued).after
        #expect(continued.retiring == nil)
        #expect(shape(after) == "k1 retired, k2 revoked, k3 revoked, k9 active")
    }

    @Test("a retiring key that retired by itself meanwhile is not counted as revoked")
    func retiredBeforeRevocation() throws {
        let issuer = sampleIssuer("k1 retiring, k2 active, k3 standby")
        let plan = try issuer.planningRotation(at: start)
        let published = try issuer.publishingFresh(sampleKey(9), for: plan, at: start).after
        let expired = try #require(published.expiring(at: start + day)).after
        let continued = expired.continuing(plan, withPublished: "k9", at: start + day)
        #expect(continued.revoked == ["k3"])
        #expect(shape(try expired.executing(continued).after) == "k1 retired, k2 retiring, k3 revoked, k9 active")
    }

    @Test("a fresh key that was revoked or used up meanwhile does not come back: the plan is a conflict")
    func freshKeyGone() throws {
        let issuer = sampleIssuer("k1 active")
        let plan = try issuer.planningRotation(at: start)
        let published = try issuer.publishingFresh(sampleKey(9), for: plan, at: start).after
        let revoked = try published.executing(published.planningRevocation(of: "k9", at: start, canGenerate: false)).after
        let rotated = try published.executing(published.planningRotation(at: start)).after
        for moved in [revoked, rotated] {
            let continued = moved.continuing(plan, withPublished: "k9", at: start)
            #expect(refusal { _ = try moved.executing(continued) } == .conflict)
        }
    }
}
