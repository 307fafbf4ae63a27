import KeyLifecycle
import Testing

/// The right values were measured with kube-apiserver and go-oidc v2 (261 to 270 s at a max-age of 300 s, 1 s at 30 s), go-oidc
/// v3 and PyJWT.
@Suite("what a rotation means to each kind of relying party")
struct ExposureTests {
    struct Case: Sendable {
        let maxAge: Int
        /// Seconds for which those that fetch when max-age is nearly over refuse a fresh key.
        let nearExpiry: Int
    }

    @Test(
        "a fresh key is refused until max-age is nearly over, or for 30 s by those that limit fetching, and by nobody else",
        arguments: [
            Case(maxAge: 10, nearExpiry: 0), Case(maxAge: 30, nearExpiry: 0), Case(maxAge: 31, nearExpiry: 1),
            Case(maxAge: 300, nearExpiry: 270), Case(maxAge: 3_600, nearExpiry: 3_570),
        ])
    func freshKey(_ row: Case) throws {
        let settings = IssuerSettings(jwksMaxAge: row.maxAge)
        let revoking = try sampleIssuer("k1 retiring, k2 active, k3 standby", settings: settings).planningRotation(at: start)
        #expect(
            revoking.exposures == [
                Self.exposure(.fetchesAtUnknownKid, 0, 0),
                Self.exposure(.fetchesNearExpiry, row.nearExpiry, row.nearExpiry), Self.exposure(.limitsFetching, 30, 30),
            ])
        #expect(revoking.exposure == max(row.maxAge, 30))
        let ordinary = try sampleIssuer("k1 active", settings: settings).planningRotation(at: start)
        #expect(ordinary.exposures.map(\.refusesNew) == [0, row.nearExpiry, 30])
        #expect(ordinary.exposures.map(\.acceptsRevoked) == [0, 0, 0])
    }

    @Test("a revocation that has to promote a known key makes nobody fetch: the revoked key lives as long as the cached JWKS")
    func knownKey() throws {
        let issuer = sampleIssuer("k1 active, k2 standby", settings: IssuerSettings(jwksMaxAge: 300))
        let plan = try issuer.planningRevocation(of: "k1", at: start, canGenerate: false)
        #expect(plan.exposures.map(\.refusesNew) == [0, 0, 0])
        #expect(plan.exposures.map(\.acceptsRevoked) == [300, 300, 300])
    }

    @Test("a change of algorithm is told from an ordinary rotation, with when the documents first named the new one")
    func algorithmChange() throws {
        let issuer = sampleIssuer("k1 active, k2 standby")
        #expect(try issuer.planningRotation(at: start).algorithmChange == nil)
        var settings = issuer.settings
        settings.algorithm = .es256
        let update = IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false)
        let updated = try #require(try issuer.updating(update, freshStandby: sampleKey(3, .es256), at: start + 5)).after
        let change = try #require(try updated.planningRotation(at: start + 100).algorithmChange)
        #expect(change.from == .rs256 && change.to == .es256 && change.publishedAt == start + 5)
        let bare = try #require(
            try sampleIssuer("k1 active", settings: IssuerSettings(standby: false)).updating(
                settings: IssuerSettings(algorithm: .es256, standby: false), at: start)
        ).after
        #expect(try bare.planningRotation(at: start).algorithmChange?.publishedAt == nil)
    }

    private static func exposure(_ kind: RelyingPartyKind, _ refusesNew: Int, _ acceptsRevoked: Int) -> Exposure {
        Exposure(kind: kind, refusesNew: refusesNew, acceptsRevoked: acceptsRevoked)
    }
}
