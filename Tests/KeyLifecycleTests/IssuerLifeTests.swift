import KeyLifecycle
import Testing

@Suite("the life of an issuer")
struct IssuerLifeTests {
    @Test("a new issuer signs at once, with its profile as asked", arguments: [nil, "https://oidc.example/t/u/"])
    func creation(url: String?) throws {
        let change = try Issuer.creating(sampleName(), settings: IssuerSettings(), url: url, firstKey: sampleKey(1), at: start)
        let issuer = try change.after
        #expect(change.expectedGeneration == nil)
        #expect(change.destroyed.isEmpty)
        #expect(change.at == start)
        #expect(shape(issuer) == "k1 active")
        #expect(issuer.ring.active?.activatedAt == start)
        #expect(issuer.generation == 1)
        #expect(issuer.createdAt == start)
        #expect(issuer.changedAt == start)
        #expect(issuer.issuerURL == url ?? IssuerSettings.defaultIssuerURL)
        #expect(issuer.needsStandby)
        #expect(issuer.acceptedIssuers.isEmpty)
    }

    @Test("the first key must have the algorithm of the settings")
    func creationAlgorithm() {
        let code = refusal {
            _ = try Issuer.creating(
                sampleName(), settings: IssuerSettings(algorithm: .es256), url: nil, firstKey: sampleKey(1), at: start)
        }
        #expect(code == .conflict)
    }

    @Test("deletion destroys every published key and leaves the ended ones to their own destruction")
    func deletion() {
        let issuer = sampleIssuer("k1 retired, k2 revoked, k3 retiring, k4 active, k5 standby")
        let change = issuer.deleting(at: start)
        #expect(change.issuer == nil)
        #expect(change.expectedGeneration == issuer.generation)
        #expect(Set(kids(change.destroyed)) == ["k3", "k4", "k5"])
        #expect(change.at == start)
    }

    @Test("a deletion is not dated before the last change")
    func deletionClockBehind() {
        let issuer = sampleIssuer("k1 active")
        #expect(issuer.deleting(at: start + -20 * day).at == issuer.changedAt)
    }

    @Test("a standby key is published where one is missing, and known once the max-age has passed")
    func standby() throws {
        let issuer = sampleIssuer("k1 active")
        let change = try issuer.publishingStandby(sampleKey(2), at: start)
        let after = try change.after
        #expect(shape(after) == "k1 active, k2 standby")
        #expect(after.ring["k2"]?.publishedAt == start)
        #expect(after.ring["k2"]?.knownFrom == start + 30)
        #expect(after.ring["k2"]?.activatedAt == nil)
        #expect(!after.needsStandby)
        #expect(after.generation == issuer.generation + 1)
        #expect(change.destroyed.isEmpty)
    }

    @Test("a standby key that is not wanted is a conflict")
    func standbyNotWanted() {
        let full = sampleIssuer("k1 active, k2 standby")
        let off = sampleIssuer("k1 active", settings: IssuerSettings(standby: false))
        let other = sampleIssuer("k1 active", settings: IssuerSettings(algorithm: .es256))
        for issuer in [full, off, other] {
            #expect(refusal { _ = try issuer.publishingStandby(sampleKey(9), at: start) } == .conflict)
        }
        #expect(!off.needsStandby)
    }

    @Test("a retiring key retires when its overlap is over, not a second before", arguments: [(-1, false), (0, true), (1, true)])
    func expiry(offset: Int, retires: Bool) throws {
        let issuer = try sampleIssuer("k1 active, k2 standby").rotated(at: start)
        let change = issuer.expiring(at: start + day + offset)
        #expect((change != nil) == retires)
        guard let change else { return }
        let after = try change.after
        #expect(shape(after) == "k1 retired, k2 active")
        #expect(kids(change.destroyed) == ["k1"])
        #expect(after.ring["k1"]?.retiredAt == start + day + offset)
        #expect(after.generation == issuer.generation + 1)
        #expect(after.expiring(at: start + 100 * day) == nil)
    }

    @Test("former URLs go when their time is over, and the keys stay")
    func urlExpiry() throws {
        let issuer = sampleIssuer(
            "k1 active",
            acceptedIssuers: [
                AcceptedIssuer(url: "https://a/", expiresAt: start + 10),
                AcceptedIssuer(url: "https://b/", expiresAt: start + 20),
            ])
        #expect(issuer.expiring(at: start + 9) == nil)
        let change = try #require(issuer.expiring(at: start + 10))
        #expect(try change.after.acceptedIssuers.map(\.url) == ["https://b/"])
        #expect(change.destroyed.isEmpty)
        #expect(try change.after.ring == issuer.ring)
    }

    @Test("a key and a URL that end together go in one change")
    func togetherInOne() throws {
        let issuer = sampleIssuer(
            "k1 retiring, k2 active", acceptedIssuers: [AcceptedIssuer(url: "https://a/", expiresAt: start)])
        let after = try #require(issuer.expiring(at: start + day)).after
        #expect(after.acceptedIssuers.isEmpty)
        #expect(after.ring.retiring == nil)
        #expect(after.generation == issuer.generation + 1)
    }

    @Test("a clock that stands before the last change retires nothing early and dates nothing back")
    func expiryClockBehind() throws {
        let issuer = try sampleIssuer("k1 active, k2 standby").rotated(at: start)
        #expect(issuer.expiring(at: start + -30 * day) == nil)
        let later = try #require(try issuer.updating(settings: IssuerSettings(jwksMaxAge: 60), at: start + 2 * day)).after
        let after = try #require(later.expiring(at: start + day)).after
        #expect(after.changedAt == start + 2 * day)
    }

    @Test("a key that is due takes no URL with it whose time has not come by the clock, however late the last change is dated")
    func lateLastChange() throws {
        let url = AcceptedIssuer(url: "https://a/", expiresAt: start + day)
        let issuer = try #require(
            try sampleIssuer("k1 retiring, k2 active", acceptedIssuers: [url]).updating(
                settings: IssuerSettings(jwksMaxAge: 60), at: start + 9 * day)
        ).after
        let after = try #require(issuer.expiring(at: start + day / 2)).after
        #expect(shape(after) == "k1 retired, k2 active")
        #expect(after.acceptedIssuers == [url])
    }

    @Test("the next deadline is the earliest of the key, the URLs and the schedule")
    func deadline() throws {
        #expect(sampleIssuer("k1 active, k2 standby").nextDeadline == nil)
        let retiring = sampleIssuer("k1 retiring, k2 active")
        #expect(retiring.nextDeadline == start + day / 2)
        let url = AcceptedIssuer(url: "https://a/", expiresAt: start + 5)
        #expect(sampleIssuer("k1 retiring, k2 active", acceptedIssuers: [url]).nextDeadline == start + 5)
        let scheduled = sampleIssuer("k1 active, k2 standby", settings: IssuerSettings(rotateEvery: 30 * day))
        #expect(scheduled.nextDeadline == start + 20 * day)
    }
}
