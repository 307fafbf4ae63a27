import KeyLifecycle
import Testing

@Suite("a rotation that waits until it surprises nobody")
struct AwaitedRotationTests {
    /// An issuer whose standby key was published at `start`.
    private func published(_ settings: IssuerSettings = IssuerSettings(jwksMaxAge: 300)) throws -> Issuer {
        try sampleIssuer("k1 active", settings: settings).publishingStandby(sampleKey(2), at: start).after
    }

    /// The issuer with a rotation that waits, asked for at `start`.
    private func waiting(_ issuer: Issuer, fresh number: Int? = nil) throws -> Issuer {
        let plan = try issuer.planningRotation(at: start, whenSafe: true)
        return try #require(
            try issuer.deferring(plan, fresh: number.map { sampleKey($0, plan.freshKey ?? .rs256) }, at: start)
        ).after
    }

    @Test("a standby key that everybody knows signs at once")
    func atOnce() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        let plan = try issuer.planningRotation(at: start, whenSafe: true)
        #expect(try plan == issuer.planningRotation(at: start))
        #expect(plan.signsFrom == nil)
        #expect(shape(try issuer.executing(plan).after) == "k1 retiring, k2 active")
    }

    @Test("a standby key that was published a moment ago signs when its lead is over, and the active key signs until then")
    func waitsForStandby() throws {
        let issuer = try published()
        let plan = try issuer.planningRotation(at: start + 10, whenSafe: true)
        #expect(plan.signsFrom == start + 300)
        #expect(plan.incoming == .standby(kid: "k2", algorithm: .rs256))
        #expect(plan.retiring?.expiresAt == start + 300 + day)
        #expect(plan.revoked.isEmpty && plan.exposure == 0)
        #expect(plan.exposures.allSatisfy { $0.refusesNew == 0 && $0.acceptsRevoked == 0 })
        #expect(refusal { _ = try issuer.executing(plan) } == .conflict)

        let after = try #require(try issuer.deferring(plan, fresh: nil, at: start + 10)).after
        #expect(shape(after) == "k1 active, k2 standby")
        #expect(after.rotationRequestedAt == start + 10)
        #expect(after.nextAwaitedRotation == start + 300)
        #expect(after.nextDeadline == start + 300)
        #expect(after.planningDueRotation(at: start + 299) == nil)
        let due = try #require(after.planningDueRotation(at: start + 300))
        #expect(due.exposure == 0)
        let rotated = try after.executing(due).after
        #expect(shape(rotated) == "k1 retiring, k2 active")
        #expect(rotated.rotationRequestedAt == nil)
        #expect(rotated.lastRotationAt == start + 300)
    }

    @Test("inside an overlap the retiring and the standby key end at once, and the fresh key is published and waits")
    func revokesAtOnce() throws {
        let issuer = sampleIssuer("k1 retiring, k2 active, k3 standby", settings: IssuerSettings(jwksMaxAge: 300))
        let plan = try issuer.planningRotation(at: start, whenSafe: true)
        #expect(plan.revoked == ["k1", "k3"])
        #expect(plan.signsFrom == start + 300)
        let change = try #require(try issuer.deferring(plan, fresh: sampleKey(9), at: start))
        let after = try change.after
        #expect(shape(after) == "k1 revoked, k2 active, k3 revoked, k9 standby")
        #expect(kids(change.destroyed).sorted() == ["k1", "k3"])
        let told = after.awaiting(plan, at: start)
        #expect(told.incoming == .standby(kid: "k9", algorithm: .rs256))
        #expect(told.signsFrom == start + 300 && told.revoked == ["k1", "k3"])
        // Nobody sees an unknown kid before the fresh key signs.
        #expect(told.exposures.allSatisfy { $0.refusesNew == 0 && $0.acceptsRevoked == 300 })
        let rotated = try after.executing(#require(after.planningDueRotation(at: start + 300))).after
        #expect(shape(rotated) == "k1 revoked, k2 retiring, k3 revoked, k9 active")
    }

    @Test("without a standby key a fresh one is published at once, and is no standby key of the settings' afterwards")
    func withoutStandby() throws {
        let issuer = sampleIssuer("k1 active", settings: IssuerSettings(standby: false))
        let after = try waiting(issuer, fresh: 9)
        #expect(shape(after) == "k1 active, k9 standby")
        let rotated = try after.executing(#require(after.planningDueRotation(at: start + 30))).after
        #expect(shape(rotated) == "k1 retiring, k9 active")
        #expect(!rotated.needsStandby)
    }

    @Test("those that limit their fetches are waited for too, however short the max-age is")
    func limitedFetches() throws {
        let issuer = try published(IssuerSettings(jwksMaxAge: 10))
        #expect(try issuer.planningRotation(at: start, whenSafe: true).signsFrom == start + 30)
        #expect(try issuer.planningRotation(at: start + 12).exposure == 18)
    }

    @Test("asked for again, it changes nothing: neither a second revocation nor a later moment")
    func idempotent() throws {
        let after = try waiting(sampleIssuer("k1 retiring, k2 active, k3 standby"), fresh: 9)
        let again = try after.planningRotation(at: start + 5, whenSafe: true)
        #expect(again.signsFrom == start + 30)
        #expect(again.revoked.isEmpty)
        #expect(try after.deferring(again, fresh: nil, at: start + 5) == nil)
    }

    @Test("a rotation by hand does not wait for it, and then none waits any more")
    func overtaken() throws {
        let after = try waiting(published())
        let plan = try after.planningRotation(at: start + 1)
        #expect(plan.exposure == 299)
        let rotated = try after.executing(plan).after
        #expect(shape(rotated) == "k1 retiring, k2 active")
        #expect(rotated.rotationRequestedAt == nil)
        #expect(rotated.planningDueRotation(at: start + 300) == nil)
    }

    @Test("given up, the standby key stays where one is wanted and goes where none is", arguments: [true, false])
    func cancelled(standby: Bool) throws {
        let settings = IssuerSettings(standby: standby)
        let after = try standby ? waiting(published(settings)) : waiting(sampleIssuer("k1 active", settings: settings), fresh: 2)
        let plan = try after.planningCancellation(at: start + 1)
        #expect(plan.exposure == 0 && plan.incoming == nil)
        let cancelled = try after.executing(plan).after
        #expect(shape(cancelled) == (standby ? "k1 active, k2 standby" : "k1 active, k2 revoked"))
        #expect(cancelled.planningDueRotation(at: start + day) == nil)
        #expect(refusal { _ = try cancelled.planningCancellation(at: start + 2) } == .conflict)
    }

    @Test("a new algorithm replaces its key, and the wait begins anew; switching the standby key off does not end it")
    func settingsChanged() throws {
        let after = try waiting(published())
        var settings = after.settings
        settings.algorithm = .es256
        settings.standby = false
        let update = IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false)
        #expect(after.needsFreshStandby(for: update))
        let updated = try #require(try after.updating(update, freshStandby: sampleKey(3, .es256), at: start + 100)).after
        #expect(shape(updated) == "k1 active, k2 revoked, k3 standby")
        #expect(updated.nextAwaitedRotation == start + 400)

        settings.algorithm = .rs256
        let kept = try #require(try after.updating(settings: settings, at: start + 100)).after
        #expect(shape(kept) == "k1 active, k2 standby")
        #expect(kept.nextAwaitedRotation == start + 300)
    }

    @Test("its key revoked without another to be had, it waits for the next one")
    func keyRevoked() throws {
        let after = try waiting(published(IssuerSettings(standby: true)))
        let revoked = try after.executing(after.planningRevocation(of: "k2", at: start + 1, canGenerate: false)).after
        #expect(revoked.rotationRequestedAt == start && revoked.nextAwaitedRotation == nil)
        #expect(revoked.needsStandby)
        let again = try revoked.publishingStandby(sampleKey(3), at: start + 50).after
        #expect(again.nextAwaitedRotation == start + 80)
    }

    @Test("a rotation that must not revoke is refused inside an overlap, with its end, and only there")
    func noRevoke() throws {
        let overlapping = sampleIssuer("k1 retiring, k2 active, k3 standby")
        for whenSafe in [true, false] {
            let error = #expect(throws: LifecycleError.self) {
                _ = try overlapping.planningRotation(at: start, whenSafe: whenSafe, revokes: false)
            }
            #expect(error?.code == .wouldRevoke)
            #expect(error?.overlapEndsAt == start + day / 2)
            #expect(error?.message.contains("k1") == true)
        }
        let free = sampleIssuer("k1 active, k2 standby")
        #expect(try free.planningRotation(at: start, revokes: false) == free.planningRotation(at: start))
    }
}
