import KeyLifecycle
import Testing

@Suite("issuer update")
struct IssuerUpdateTests {
    static let first = "https://oidc.example/t/1/"
    static let second = "https://oidc.example/t/2/"

    @Test("enabling takes the fresh URL, and nothing is served under the default issuer")
    func enabling() throws {
        let after = try #require(try sampleIssuer("k1 active").updating(enabled: true, url: Self.first, at: start)).after
        #expect(after.profile == .enabled(url: Self.first))
        #expect(after.issuerURL == Self.first)
        #expect(after.acceptedIssuers.isEmpty)
    }

    @Test("disabling goes back to the default issuer and serves the former URL through the overlap")
    func disabling() throws {
        let issuer = sampleIssuer("k1 active", profile: .enabled(url: Self.first))
        let after = try #require(try issuer.updating(enabled: false, at: start)).after
        #expect(after.profile == .disabled)
        #expect(after.issuerURL == IssuerSettings.defaultIssuerURL)
        #expect(after.acceptedIssuers == [AcceptedIssuer(url: Self.first, expiresAt: start + day)])
    }

    @Test("disabling and enabling again gives a new URL, the former one stays through the overlap")
    func reenabling() throws {
        let issuer = sampleIssuer("k1 active", profile: .enabled(url: Self.first))
        let disabled = try #require(try issuer.updating(enabled: false, at: start)).after
        let enabled = try #require(try disabled.updating(enabled: true, url: Self.second, at: start + 10)).after
        #expect(enabled.issuerURL == Self.second)
        #expect(enabled.acceptedIssuers == [AcceptedIssuer(url: Self.first, expiresAt: start + day)])
        #expect(enabled.expiring(at: start + day + -1) == nil)
        #expect(try #require(enabled.expiring(at: start + day)).after.acceptedIssuers.isEmpty)
        #expect(enabled.ring == issuer.ring)
    }

    @Test("immediately drops the former URL at once, with the change or later")
    func immediately() throws {
        let issuer = sampleIssuer("k1 active", profile: .enabled(url: Self.first))
        #expect(try #require(try issuer.updating(enabled: false, immediately: true, at: start)).after.acceptedIssuers.isEmpty)
        let disabled = try #require(try issuer.updating(enabled: false, at: start)).after
        let dropped = try #require(try disabled.updating(enabled: nil, immediately: true, at: start + 1)).after
        #expect(dropped.acceptedIssuers.isEmpty)
        #expect(dropped.profile == .disabled)
    }

    @Test("what is as asked already stays, URL and generation included", arguments: [true, false])
    func idempotent(enabled: Bool) throws {
        let issuer = sampleIssuer("k1 active", profile: enabled ? .enabled(url: Self.first) : .disabled)
        #expect(try issuer.updating(enabled: enabled, url: Self.second, at: start) == nil)
        #expect(try issuer.updating(enabled: nil, immediately: true, at: start) == nil)
        #expect(try issuer.updating(settings: issuer.settings, at: start) == nil)
    }

    @Test("settings and profile change in one step")
    func oneStep() throws {
        let issuer = sampleIssuer("k1 active", profile: .enabled(url: Self.first))
        let settings = IssuerSettings(defaultIssuer: "https://default.example", maximumLifetime: 2 * hour, overlap: 2 * hour)
        let update = IssuerUpdate(settings: settings, enabled: false, freshURL: Self.second, immediately: false)
        let after = try #require(try issuer.updating(update, at: start)).after
        #expect(after.generation == issuer.generation + 1)
        #expect(after.settings == settings)
        #expect(after.issuerURL == "https://default.example")
        // The JWTs out there were issued under the longer bounds.
        #expect(after.acceptedIssuers == [AcceptedIssuer(url: Self.first, expiresAt: start + day)])
    }

    @Test("a former URL outlives every JWT that names it, those of a retiring key under longer bounds included")
    func urlOutlivesRetiring() throws {
        let lowered = IssuerSettings(maximumLifetime: hour, overlap: 2 * hour)
        let issuer = try #require(
            try sampleIssuer("k1 active, k2 standby", profile: .enabled(url: Self.first)).updating(settings: lowered, at: start)
        ).after.rotated(at: start + 10)
        #expect(issuer.ring.retiring?.latestExpiry == start + day)
        let disabled = try #require(try issuer.updating(enabled: false, at: start + 20)).after
        #expect(disabled.acceptedIssuers == [AcceptedIssuer(url: Self.first, expiresAt: start + day)])
    }

    @Test("a former URL outlives the JWTs of a retiring key when the key that saw the bounds lowered has been revoked")
    func urlOutlivesRevocation() throws {
        let lowered = IssuerSettings(maximumLifetime: hour, overlap: 2 * hour)
        let rotated = try sampleIssuer("k1 active, k2 standby", profile: .enabled(url: Self.first)).rotated(at: start)
        let issuer = try #require(try rotated.updating(settings: lowered, at: start + 10)).after
        let plan = try issuer.planningRevocation(of: "k2", at: start + 20)
        let revoked = try issuer.carryingOut(plan, fresh: 9, at: start + 20).issuer
        let disabled = try #require(try revoked.updating(enabled: false, at: start + 30)).after
        #expect(shape(disabled) == "k1 retiring, k2 revoked, k9 active")
        #expect(disabled.acceptedIssuers == [AcceptedIssuer(url: Self.first, expiresAt: start + day)])
    }

    @Test("a shorter overlap counts for former URLs as soon as no JWT needs more")
    func shorterOverlap() throws {
        let short = IssuerSettings(maximumLifetime: hour, overlap: day)
        let issuer = try sampleIssuer("k1 active, k2 standby", settings: short, profile: .enabled(url: Self.first))
            .rotated(at: start)
        let shorter = IssuerSettings(maximumLifetime: hour, overlap: 2 * hour)
        let lowered = try #require(try issuer.updating(settings: shorter, at: start + 10)).after
        let disabled = try #require(try lowered.updating(enabled: false, at: start + 20)).after
        #expect(disabled.acceptedIssuers == [AcceptedIssuer(url: Self.first, expiresAt: start + 20 + 2 * hour)])
        #expect(disabled.ring.retiring?.expiresAt == start + day)
    }

    @Test("a new algorithm replaces the standby key at once and signs from the next rotation, the old key retiring beside it")
    func newAlgorithm() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        let update = IssuerUpdate(
            settings: IssuerSettings(algorithm: .es256), enabled: nil, freshURL: Self.first, immediately: false)
        #expect(issuer.needsFreshStandby(for: update))
        let change = try #require(try issuer.updating(update, freshStandby: sampleKey(9, .es256), at: start))
        let after = try change.after
        #expect(shape(after) == "k1 active, k2 revoked, k9 standby")
        #expect(kids(change.destroyed) == ["k2"])
        #expect(after.ring.active?.algorithm == .rs256)
        #expect(after.generation == issuer.generation + 1)
        let rotated = try after.rotated(at: start + day)
        #expect(shape(rotated) == "k1 retiring, k2 revoked, k9 active")
        #expect(rotated.ring.active?.algorithm == .es256)
        #expect(rotated.ring.retiring?.algorithm == .rs256)
    }

    @Test("a new length of RSA keys counts like a new algorithm")
    func newLength() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        let update = IssuerUpdate(
            settings: IssuerSettings(rsaBits: 4_096), enabled: nil, freshURL: Self.first, immediately: false)
        #expect(issuer.needsFreshStandby(for: update))
        let wanted = KeySpecification(.rs256, rsaBits: 4_096)
        let after = try #require(try issuer.updating(update, freshStandby: sampleKey(9, wanted), at: start)).after
        #expect(shape(after) == "k1 active, k2 revoked, k9 standby")
        #expect(refusal { _ = try issuer.updating(update, freshStandby: sampleKey(9), at: start) } == .conflict)
        let bare = try #require(try issuer.updating(settings: IssuerSettings(rsaBits: 4_096), at: start)).after
        #expect(try bare.planningRotation(at: start).incoming == .fresh(wanted))
        #expect(refusal { _ = try bare.publishingStandby(sampleKey(9), at: start) } == .conflict)
        #expect(shape(try bare.publishingStandby(sampleKey(9, wanted), at: start).after) == "k1 active, k2 revoked, k9 standby")
    }

    @Test("the length of RSA keys does not matter to an issuer with another algorithm")
    func lengthWithoutRSA() throws {
        let issuer = sampleIssuer("k1 active, k2 standby", settings: IssuerSettings(algorithm: .es256))
        let longer = IssuerSettings(algorithm: .es256, rsaBits: 4_096)
        let update = IssuerUpdate(settings: longer, enabled: nil, freshURL: Self.first, immediately: false)
        #expect(!issuer.needsFreshStandby(for: update))
        let after = try #require(try issuer.updating(update, at: start)).after
        #expect(shape(after) == "k1 active, k2 standby")
        #expect(after.settings.rsaBits == 4_096)
    }

    @Test("a new algorithm without a key for it leaves no standby key of the old one, and the next rotation generates")
    func newAlgorithmWithoutKey() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        let after = try #require(try issuer.updating(settings: IssuerSettings(algorithm: .es256), at: start)).after
        #expect(shape(after) == "k1 active, k2 revoked")
        #expect(after.needsStandby)
        #expect(try after.planningRotation(at: start).incoming == .fresh(.es256))
    }

    @Test("a standby key of another algorithm than the settings is a conflict")
    func wrongStandby() {
        let code = refusal {
            _ = try sampleIssuer("k1 active, k2 standby").updating(
                settings: IssuerSettings(algorithm: .es256), fresh: sampleKey(9), at: start)
        }
        #expect(code == .conflict)
    }

    @Test("switching the standby key off ends it, switching it on again leaves one to be published")
    func standbySwitch() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        let change = try #require(try issuer.updating(settings: IssuerSettings(standby: false), at: start))
        let off = try change.after
        #expect(shape(off) == "k1 active, k2 revoked")
        #expect(kids(change.destroyed) == ["k2"])
        #expect(!off.needsStandby)
        let on = try #require(try off.updating(settings: IssuerSettings(), at: start)).after
        #expect(on.needsStandby)
    }

    @Test("an update that leaves the algorithm, or the standby key off, needs no key")
    func noFreshStandby() {
        let issuer = sampleIssuer("k1 active, k2 standby")
        for settings in [nil, IssuerSettings(lifetime: 600), IssuerSettings(algorithm: .es256, standby: false)] {
            #expect(
                !issuer.needsFreshStandby(for: IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false)))
        }
    }

    @Test("a new URL takes the place of the present one in one step, which stays accepted until the overlap is over")
    func newURL() throws {
        let issuer = sampleIssuer("k1 retiring, k2 active, k3 standby", profile: .enabled(url: Self.first))
        let update = IssuerUpdate(settings: nil, enabled: nil, renewsURL: true, freshURL: "https://new/", immediately: false)
        let after = try #require(try issuer.updating(update, at: start)).after
        #expect(after.issuerURL == "https://new/")
        #expect(after.acceptedIssuers == [AcceptedIssuer(url: Self.first, expiresAt: start + day)])
        #expect(after.ring == issuer.ring)
        var immediately = update
        immediately.immediately = true
        let dropped = try #require(try issuer.updating(immediately, at: start)).after
        #expect(dropped.acceptedIssuers.isEmpty)
    }

    @Test("there is no new URL for a profile that is disabled, or is to be", arguments: [nil, true, false])
    func newURLWithoutProfile(enabled: Bool?) {
        for profile in [OIDCProfile.disabled, .enabled(url: Self.first)] where profile == .disabled || enabled != nil {
            let update = IssuerUpdate(
                settings: nil, enabled: enabled, renewsURL: true, freshURL: "https://new/", immediately: false)
            #expect(refusal { _ = try sampleIssuer("k1 active", profile: profile).updating(update, at: start) } == .policyInvalid)
        }
    }

    @Test("lowering the max-age keeps the old one in force until caches under it have run out")
    func loweredMaxAge() throws {
        let issuer = sampleIssuer("k1 active", settings: IssuerSettings(jwksMaxAge: hour))
        let after = try #require(try issuer.updating(settings: IssuerSettings(jwksMaxAge: 60), at: start)).after
        #expect(after.cachedUntil(start) == start + hour)
        #expect(after.cachedUntil(start + hour) == start + hour + 60)
        let early = try after.publishingStandby(sampleKey(2), at: start + 10).after
        #expect(early.ring["k2"]?.knownFrom == start + hour)
        #expect(try early.planningRotation(at: start + 100).exposure == hour - 100)
        let late = try after.publishingStandby(sampleKey(2), at: start + hour).after
        #expect(late.ring["k2"]?.knownFrom == start + hour + 60)
    }

    @Test("lowering the max-age again does not forget the first, raising it needs no memory")
    func loweredMaxAgeTwice() throws {
        var issuer = sampleIssuer("k1 active", settings: IssuerSettings(jwksMaxAge: hour))
        for (maxAge, offset) in [(600, 0), (60, 10)] {
            issuer = try #require(try issuer.updating(settings: IssuerSettings(jwksMaxAge: maxAge), at: start + offset)).after
        }
        #expect(issuer.cachedUntil(start + 20) == start + hour)
        let raised = try #require(try issuer.updating(settings: IssuerSettings(jwksMaxAge: day), at: start + 30)).after
        #expect(raised.cachedUntil(start + 30) == start + 30 + day)
    }

    @Test("an update is refused whole when its settings are out of bounds")
    func refusedWhole() {
        let update = IssuerUpdate(settings: IssuerSettings(lifetime: 1), enabled: true, freshURL: Self.first, immediately: true)
        #expect(refusal { _ = try sampleIssuer("k1 active").updating(update, at: start) } == .policyInvalid)
    }
}
