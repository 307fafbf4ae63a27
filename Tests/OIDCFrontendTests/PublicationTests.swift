import AgentProtocol
import NIOCore
import Testing

@testable import OIDCFrontend

@Suite("What is served, and until when")
struct PublicationTests {
    static let rotated = Publication(
        results: [discovery(of: "demo", [url("a", [(wire(-100), "k1+k2"), (wire(1000), "k2"), (wire(2000), "k3")])])],
        confirmedAt: wire(0))

    @Test(
        "time alone moves on to the version in force",
        arguments: [(-50, "k1+k2"), (0, "k1+k2"), (999, "k1+k2"), (1000, "k2"), (1999, "k2"), (2000, "k3"), (90_000, "k3")])
    func versionInForce(seconds: Int64, keys: String) {
        #expect(Self.rotated.jwks("a", at: seconds) == jwksBody(keys))
    }

    @Test("a version of the future is not served early, also when it is the only one")
    func futureVersion() {
        let publication = Publication(results: [discovery(of: "demo", [url("a", [(wire(10), "k1")])])], confirmedAt: nil)
        #expect(publication.jwks("a", at: 9) == nil)
        #expect(publication.jwks("a", at: 10) == jwksBody("k1"))
    }

    @Test("a clock that was set back behind the agent's answer takes back nothing")
    func clockSetBack() {
        let publication = Publication(
            results: [discovery(of: "demo", at: wire(1500), [url("a", [(wire(0), "k1+k2"), (wire(1000), "k2")])])],
            confirmedAt: nil)
        #expect(publication.jwks("a", at: 500) == jwksBody("k2"))
        #expect(publication.jwks("a", at: -90_000) == jwksBody("k2"))
    }

    @Test(
        "max-age ends with the next change or the URL, whichever comes first",
        arguments: [
            // Next change at 1000, the URL ends at 1500, 300 s at most.
            (0, 0, 300), (700, 0, 300), (701, 0, 299), (701, 1, 298), (999, 0, 1), (999, 1, 0), (999, 999_999_999, 0),
            (1000, 0, 300), (1200, 0, 300), (1201, 0, 299), (1499, 500_000_000, 0),
        ] as [(Int64, Int32, Int64)])
    func maximumAge(seconds: Int64, nanoseconds: Int32, age: Int64) throws {
        let publication = Publication(
            results: [discovery(of: "demo", [url("a", expiresAt: wire(1500), [(wire(0), "k1"), (wire(1000), "k2")])])],
            confirmedAt: nil)
        for path in [jwksPath("a"), discoveryPath("a")] {
            let document = try #require(publication.document(at: path, time: moment(seconds, nanoseconds: nanoseconds)))
            #expect(document.maximumAge == age)
        }
    }

    @Test("max-age is what the agent says when nothing is due, and never negative")
    func plainMaximumAge() throws {
        let publication = Publication(
            results: [discovery(of: "demo", [url("a", maxAge: 77), url("b", maxAge: -5)])], confirmedAt: nil)
        #expect(publication.document(at: jwksPath("a"), time: moment(0))?.maximumAge == 77)
        #expect(publication.document(at: jwksPath("b"), time: moment(0))?.maximumAge == 0)
    }

    @Test(
        "one slash too many behind an issuer URL is left out, and nowhere that has something of its own",
        arguments: [
            ("/t/a//.well-known/openid-configuration", "/t/a/"), ("/x//y//.well-known/openid-configuration", nil),
            ("/x/y//.well-known/openid-configuration", nil), ("/t//b/.well-known/openid-configuration", "/t//b/"),
            ("/t//b//.well-known/openid-configuration", "/t//b/"), ("/t/b//.well-known/openid-configuration", "/t/b/"),
            ("/t/a///.well-known/openid-configuration", nil), ("//t/a/.well-known/openid-configuration", nil),
            ("/t/a/.well-known//openid-configuration", nil),
            ("/t/a/.well-known/openid-configuration//", nil), ("//", nil), ("/", nil), ("", nil),
        ] as [(String, String?)])
    func doubledSlash(path: String, of issuer: String?) {
        let publication = Publication(
            results: [
                discovery(
                    of: "demo",
                    ["/t/a/", "/t//b/", "/t/b/"].map { path in
                        var url = url("a", [(wire(0), path)])
                        url.issuerUrl = "https://oidc.example.com\(path)"
                        url.discoveryUri = url.issuerUrl + ".well-known/openid-configuration"
                        url.jwksUri = url.issuerUrl + "openid/v1/jwks"
                        return url
                    })
            ], confirmedAt: nil)
        #expect(publication.document(at: path, time: moment(0))?.etag == issuer.map { "\"d-\($0)\"" })
    }

    @Test("a former URL ends at its expiry, to the second, and leaves the current one alone")
    func urlExpiry() {
        let publication = Publication(
            results: [discovery(of: "demo", [url("new"), url("old", current: false, expiresAt: wire(60))])], confirmedAt: nil)
        #expect(publication.document(at: discoveryPath("old"), time: moment(59, nanoseconds: 999_999_999)) != nil)
        #expect(publication.document(at: discoveryPath("old"), time: moment(60)) == nil)
        #expect(publication.document(at: jwksPath("old"), time: moment(60)) == nil)
        #expect(publication.jwks("new", at: 60) == jwksBody("k1"))
    }

    @Test("both documents are the agent's bytes, with its entity tags and the right media types")
    func documents() throws {
        let publication = Publication(results: [discovery(of: "demo", [url("a")])], confirmedAt: nil)
        let configuration = try #require(publication.document(at: discoveryPath("a"), time: moment(0)))
        #expect(configuration.kind.mediaType == "application/json")
        #expect(configuration.etag == "\"d-k1\"")
        #expect(String(buffer: configuration.body) == discoveryBody("https://oidc.example.com/tenant/a/", "k1"))
        let keys = try #require(publication.document(at: jwksPath("a"), time: moment(0)))
        #expect(keys.kind.mediaType == "application/jwk-set+json")
        #expect(keys.etag == "\"j-k1\"")
    }

    @Test(
        "a path that is not exactly a document's selects nothing",
        arguments: [
            "/", "", "/tenant/a", "/tenant/a/", "/tenant/a/openid/v1/jwks/", "//tenant/a/openid/v1/jwks",
            "/tenant/A/openid/v1/jwks",
            "/tenant/a/openid/v1/../v1/jwks", "/tenant/%61/openid/v1/jwks", "https://oidc.example.com/tenant/a/openid/v1/jwks",
        ])
    func otherPaths(path: String) {
        let publication = Publication(results: [discovery(of: "demo", [url("a")])], confirmedAt: nil)
        #expect(publication.document(at: path, time: moment(0)) == nil)
    }

    @Test("a new word on an issuer replaces the one before, URLs it no longer names included")
    func replacement() {
        var publication = Publication(
            results: [discovery(of: "demo", [url("a"), url("b")]), discovery(of: "other", [url("c")])], confirmedAt: nil)
        publication.apply(discovery(of: "demo", generation: 2, [url("b", [(wire(0), "k9")])]))
        #expect(publication.jwks("a", at: 0) == nil)
        #expect(publication.jwks("b", at: 0) == jwksBody("k9"))
        #expect(publication.jwks("c", at: 0) == jwksBody("k1"))
        publication.apply(discovery(of: "demo", generation: 3, []))
        #expect(publication.jwks("b", at: 0) == nil)
        #expect(publication.document(at: discoveryPath("b"), time: moment(0)) == nil)
    }

    @Test("a deleted issuer is gone at once")
    func deletion() {
        var publication = Publication(results: ["a", "c"].map { discovery(of: $0, [url($0)]) }, confirmedAt: nil)
        publication.drop("a")
        #expect(publication.jwks("a", at: 0) == nil)
        #expect(publication.jwks("c", at: 0) == jwksBody("k1"))
        #expect(Array(publication.results.keys) == ["c"])
    }

    @Test("the revision counts changes, and the same answer at another time is none")
    func revision() {
        var publication = Publication(results: [discovery(of: "demo", [url("a")])], confirmedAt: nil)
        #expect(publication.revision == 0)
        publication.apply(discovery(of: "demo", at: wire(5), [url("a")]))
        publication.drop("unknown")
        publication.hearOut(0, at: moment(5), uptime: 0)
        #expect(publication.revision == 0)
        publication.apply(discovery(of: "demo", at: wire(5), [url("a", [(wire(0), "k1"), (wire(9), "k2")])]))
        #expect(publication.revision == 1)
        publication.drop("demo")
        #expect(publication.revision == 2)
    }

    @Test(
        "readiness follows the age of the agent's last word",
        arguments: [
            (0, .ready), (3600, .ready), (3601, .stale(seconds: 3601)), (-60, .ready), (-61, .clockBehind(seconds: 61)),
        ] as [(Int64, Readiness)])
    func readiness(seconds: Int64, expected: Readiness) {
        #expect(Self.rotated.readiness(at: moment(seconds), uptime: 0, staleAfter: 3600) == expected)
    }

    @Test("nothing is ready before the agent's first word")
    func neverConfirmed() {
        #expect(Publication().readiness(at: moment(0), uptime: 0, staleAfter: 3600) == .neverConfirmed)
        let documentsOnly = Publication(results: [discovery(of: "demo", [url("a")])], confirmedAt: nil)
        #expect(documentsOnly.readiness(at: moment(0), uptime: 0, staleAfter: 3600) == .neverConfirmed)
    }
}
