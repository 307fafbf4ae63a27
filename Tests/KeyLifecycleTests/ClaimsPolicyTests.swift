import KeyLifecycle
import Testing

@Suite("claims policy")
struct ClaimsPolicyTests {
    static let url = "https://oidc.example/t/u/"
    /// Default lifetime one hour, at most two.
    let policy = ClaimsPolicy(
        sampleIssuer(
            "k1 active", settings: IssuerSettings(lifetime: hour, maximumLifetime: 2 * hour, overlap: day),
            profile: .enabled(url: url)))
    static let now = start.seconds

    struct Granted: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let facts: ClaimsFacts
        let iat: Int64
        let nbf: Int64
        let exp: Int64
    }

    @Test(
        "what may be signed gets these dates",
        arguments: [
            Granted(
                testDescription: "nothing given: the default lifetime from now", facts: .asking(), iat: now, nbf: now,
                exp: now + 3_600),
            Granted(testDescription: "the current iss", facts: .asking(iss: url), iat: now, nbf: now, exp: now + 3_600),
            Granted(testDescription: "the shortest lifetime", facts: .asking(lifetime: 600), iat: now, nbf: now, exp: now + 600),
            Granted(
                testDescription: "the longest lifetime", facts: .asking(lifetime: 7_200), iat: now, nbf: now, exp: now + 7_200),
            Granted(testDescription: "the earliest exp", facts: .asking(exp: now + 600), iat: now, nbf: now, exp: now + 600),
            Granted(testDescription: "the latest exp", facts: .asking(exp: now + 7_200), iat: now, nbf: now, exp: now + 7_200),
            Granted(
                testDescription: "iat a minute ago: the lifetime counts from it", facts: .asking(iat: now - 60, lifetime: 7_200),
                iat: now - 60, nbf: now - 60, exp: now + 7_140),
            Granted(
                testDescription: "iat a minute ahead: the lifetime counts from now",
                facts: .asking(iat: now + 60, lifetime: 7_200),
                iat: now + 60, nbf: now + 60, exp: now + 7_200),
            Granted(
                testDescription: "iat a minute ahead with the latest exp", facts: .asking(iat: now + 60, exp: now + 7_200),
                iat: now + 60, nbf: now + 60, exp: now + 7_200),
            Granted(
                testDescription: "nbf a minute ago", facts: .asking(nbf: now - 60), iat: now, nbf: now - 60, exp: now + 3_600),
            Granted(
                testDescription: "nbf a minute ahead", facts: .asking(nbf: now + 60), iat: now, nbf: now + 60, exp: now + 3_600),
            Granted(
                testDescription: "a whole payload", facts: .asking(iss: url, iat: now - 5, exp: now + 595, complete: true),
                iat: now - 5, nbf: now - 5, exp: now + 595),
        ])
    func granted(_ row: Granted) throws {
        let grant = try policy.grant(row.facts, at: start)
        #expect(grant.issuedAt == row.iat)
        #expect(grant.notBefore == row.nbf)
        #expect(grant.expiresAt == row.exp)
    }

    @Test(
        "an nbf that is filled in is dated back by the issuer's skew; one that is given, iat and exp are left alone",
        arguments: [
            (ClaimsFacts.asking(), now, now - 45, now + 3_600),
            (.asking(iat: now - 60), now - 60, now - 105, now - 60 + 3_600),
            (.asking(nbf: now), now, now, now + 3_600), (.asking(nbf: now - 60), now, now - 60, now + 3_600),
            (.asking(exp: now + 7_200), now, now - 45, now + 7_200),
        ])
    func notBeforeSkew(facts: ClaimsFacts, iat: Int64, nbf: Int64, exp: Int64) throws {
        let settings = IssuerSettings(lifetime: hour, maximumLifetime: 2 * hour, overlap: day, notBeforeSkew: 45)
        let grant = try ClaimsPolicy(sampleIssuer("k1 active", settings: settings)).grant(facts, at: start)
        #expect(grant.issuedAt == iat)
        #expect(grant.notBefore == nbf)
        #expect(grant.expiresAt == exp)
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let facts: ClaimsFacts
        var code = LifecycleError.Code.claimsInvalid
        /// What the message names.
        let names: String
    }

    @Test(
        "what may not be signed is refused, never shortened",
        arguments: [
            Refused(testDescription: "a foreign iss", facts: .asking(iss: "https://evil.example/"), names: "iss"),
            Refused(testDescription: "the iss without its slash", facts: .asking(iss: "https://oidc.example/t/u"), names: "iss"),
            Refused(
                testDescription: "the default issuer while the profile is enabled",
                facts: .asking(iss: IssuerSettings.defaultIssuerURL), names: "iss"),
            Refused(testDescription: "an empty iss", facts: .asking(iss: ""), names: "iss"),
            Refused(testDescription: "no aud", facts: .asking(aud: false), names: "aud"),
            Refused(testDescription: "iat an hour ahead", facts: .asking(iat: now + 3_600), names: "iat"),
            Refused(testDescription: "iat an hour ago", facts: .asking(iat: now - 3_600), names: "iat"),
            Refused(testDescription: "iat 61 s ahead", facts: .asking(iat: now + 61), names: "iat"),
            Refused(testDescription: "iat 61 s ago", facts: .asking(iat: now - 61), names: "iat"),
            Refused(testDescription: "iat beyond counting", facts: .asking(iat: .max), names: "iat"),
            Refused(testDescription: "iat before all time", facts: .asking(iat: .min), names: "iat"),
            Refused(testDescription: "nbf 61 s ahead", facts: .asking(nbf: now + 61), names: "nbf"),
            Refused(testDescription: "nbf 61 s ago", facts: .asking(nbf: now - 61), names: "nbf"),
            Refused(
                testDescription: "exp and a lifetime", facts: .asking(exp: now + 3_600, lifetime: 3_600), names: "lifetime"),
            Refused(testDescription: "a lifetime of 599 s", facts: .asking(lifetime: 599), names: "600"),
            Refused(testDescription: "a lifetime of nothing", facts: .asking(lifetime: 0), names: "600"),
            Refused(testDescription: "a negative lifetime", facts: .asking(lifetime: -3_600), names: "600"),
            Refused(testDescription: "the least lifetime there is", facts: .asking(lifetime: .min), names: "600"),
            Refused(testDescription: "exp 599 s ahead", facts: .asking(exp: now + 599), names: "600"),
            Refused(testDescription: "exp in the past", facts: .asking(exp: now - 1), names: "600"),
            Refused(testDescription: "exp before all time", facts: .asking(exp: .min), names: "600"),
            Refused(
                testDescription: "a lifetime one second over", facts: .asking(lifetime: 7_201), code: .lifetimeExceeded,
                names: "7201"),
            Refused(
                testDescription: "a lifetime beyond counting", facts: .asking(lifetime: .max), code: .lifetimeExceeded,
                names: "7200"),
            Refused(
                testDescription: "exp one second over", facts: .asking(exp: now + 7_201), code: .lifetimeExceeded, names: "7201"),
            Refused(testDescription: "exp beyond counting", facts: .asking(exp: .max), code: .lifetimeExceeded, names: "7200"),
            Refused(
                testDescription: "exp one second over, hidden behind a later iat",
                facts: .asking(iat: now + 60, exp: now + 7_201),
                code: .lifetimeExceeded, names: "7201"),
            Refused(
                testDescription: "more than the maximum from iat to exp", facts: .asking(iat: now - 1, exp: now + 7_200),
                code: .lifetimeExceeded, names: "7201"),
            Refused(
                testDescription: "a payload without exp", facts: .asking(iss: url, iat: now, complete: true), names: "exp"),
            Refused(
                testDescription: "a payload whose exp would come from a lifetime",
                facts: .asking(iss: url, iat: now, lifetime: 3_600, complete: true), names: "exp"),
            Refused(
                testDescription: "a payload without iat", facts: .asking(iss: url, exp: now + 3_600, complete: true), names: "iat"
            ),
            Refused(
                testDescription: "a payload without iss", facts: .asking(iat: now, exp: now + 3_600, complete: true), names: "iss"
            ),
            Refused(
                testDescription: "a payload without aud",
                facts: .asking(iss: url, aud: false, iat: now, exp: now + 3_600, complete: true), names: "aud"),
        ])
    func refused(_ row: Refused) {
        do throws(LifecycleError) {
            _ = try policy.grant(row.facts, at: start)
            Issue.record("it was granted")
        } catch {
            #expect(error.code == row.code)
            #expect(error.message.contains(row.names))
            #expect(!error.hint.isEmpty)
        }
    }

    @Test("a foreign iss is not repeated in the refusal")
    func noPayloadInErrors() {
        let error = #expect(throws: LifecycleError.self) {
            try policy.grant(.asking(iss: "https://secret.example/"), at: start)
        }
        #expect(error.map { "\($0)\($0.hint)".contains("secret") } == false)
    }

    @Test("a disabled profile signs as the default issuer, an enabled one as its URL")
    func issuerURL() {
        let settings = IssuerSettings(defaultIssuer: "https://default.example")
        #expect(ClaimsPolicy(sampleIssuer("k1 active", settings: settings)).issuerURL == "https://default.example")
        #expect(
            ClaimsPolicy(sampleIssuer("k1 active", settings: settings, profile: .enabled(url: Self.url))).issuerURL == Self.url)
    }

    @Test("no JWT lives longer than one day, whatever is asked", arguments: [86_401, 100_000, 10_000_000])
    func oneDay(lifetime: Int) {
        let widest = ClaimsPolicy(sampleIssuer("k1 active"))
        #expect(refusal { _ = try widest.grant(.asking(lifetime: lifetime), at: start) } == .lifetimeExceeded)
        #expect(refusal { _ = try widest.grant(.asking(lifetime: day), at: start) } == nil)
    }
}
