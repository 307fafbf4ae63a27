import AgentProtocol
import Foundation
import TestSupport
import Testing

@testable import OIDCFrontend

@Suite("What comes in is looked at before it is served")
struct DocumentCheckTests {
    /// One member that is not what it has to be, and the name of it that the error begins with.
    struct Fault: CustomTestStringConvertible, Sendable {
        let place: String
        let what: String
        let change: @Sendable (inout DiscoveryResult) -> Void

        var testDescription: String { "\(place): \(what)" }

        static func etag(_ text: String) -> Fault {
            Fault(place: "urls[0].versions[0].jwks.etag", what: text) { $0.urls[0].versions[0].jwks.etag = text }
        }
        static func issuerUrl(_ text: String) -> Fault {
            Fault(place: "urls[0].issuerUrl", what: text) { $0.urls[0].issuerUrl = text }
        }
        static func jwksUri(_ text: String) -> Fault {
            Fault(place: "urls[0].jwksUri", what: text) { $0.urls[0].jwksUri = text }
        }
        static func discoveryUri(_ text: String) -> Fault {
            Fault(place: "urls[0].discoveryUri", what: text) { $0.urls[0].discoveryUri = text }
        }
        static func body(_ text: String) -> Fault {
            Fault(place: "urls[0].versions[1].jwks.body", what: "\(text.prefix(40))") { $0.urls[0].versions[1].jwks.body = text }
        }
        static func discoveryBody(_ text: String) -> Fault {
            Fault(place: "urls[0].versions[0].discovery.body", what: text) { $0.urls[0].versions[0].discovery.body = text }
        }
        static func name(_ text: String) -> Fault { Fault(place: "issuer", what: text) { $0.issuer = text } }
    }

    static let faults: [Fault] = [
        .etag("\"a\"\r\nSet-Cookie: b"), .etag("\"a\r\n\r\n<html>\""), .etag("\"a\nb\""), .etag("\"a\rb\""), .etag("\"a\u{0}\""),
        .etag("\"a b\""), .etag("\"a\"b\""), .etag("a"), .etag(""), .etag("\""), .etag("W/"), .etag("w/\"a\""), .etag("\"é\""),
        .etag("\"\u{7F}\""), .etag("\"\(String(repeating: "a", count: 255))\""), .etag("\"a\", \"b\""),
        .issuerUrl("ftp://a/"), .issuerUrl("https:///a"), .issuerUrl("https://u@a/"), .issuerUrl("https://a/?b"),
        .issuerUrl("https://a/#b"), .issuerUrl("https://a/ b"), .issuerUrl("https://a/\r\nb"), .issuerUrl("https://a\r\n/b"),
        .issuerUrl("a"), .issuerUrl("https://a/\(String(repeating: "a", count: 2_048))"), .issuerUrl("https://a?b"),
        .jwksUri("https://oidc.example.com"), .jwksUri("https://a/healthz"), .jwksUri("http://b/readyz"),
        .jwksUri("https://a/../b"),
        .jwksUri("https://a/./b"), .jwksUri("https://a/%2E%2e/b"), .jwksUri("https://a/%"), .jwksUri("https://a/%0"),
        .jwksUri("https://a/\u{0}"),
        .jwksUri("https://a/é"), .jwksUri("/tenant/a/openid/v1/jwks"), .jwksUri("https://a/b?c=d"),
        .discoveryUri("https://a/healthz"),
        .discoveryUri("https://a/\"b"),
        .body(""), .body("no JSON"), .body("{\"keys\":[]"), .body("{\"keys\":[]}x"), .body("{\"keys\":\"\n\"}"), .body("[]"),
        .body("{}"), .body("{\"keys\":{}}"), .body("{\"keys\":[\"\(String(repeating: "a", count: 1_048_576))\"]}"),
        .body("{\"keys\":[],\"keys\":[]}"),
        .discoveryBody("{}"), .discoveryBody(OIDCFrontendTests.discoveryBody("https://oidc.example.com/tenant/b/", "k")),
        .discoveryBody("{\"issuer\":\"https://oidc.example.com/tenant/a/\",\"jwks_uri\":\"https://elsewhere.example/jwks\"}"),
        .name(""), .name("-a"), .name("a-"), .name("A"), .name("a b"), .name("a\n"), .name(String(repeating: "a", count: 64)),
        Fault(place: "urls[0].maxAgeSeconds", what: "negative") { $0.urls[0].maxAgeSeconds = -1 },
        Fault(place: "urls[0].maxAgeSeconds", what: "for ever") { $0.urls[0].maxAgeSeconds = .max },
        Fault(place: "urls[0].versions", what: "none") { $0.urls[0].versions = [] },
        Fault(place: "urls[0].versions", what: "backwards") { $0.urls[0].versions.reverse() },
        Fault(place: "urls[1].versions[0].discovery.etag", what: "of another URL") {
            $0.urls[1].versions[0].discovery.etag = "\"\r\n\""
        },
    ]

    private static let sound = discovery(
        of: "demo", [url("a", [(wire(0), "k1+k2"), (wire(100), "k2")]), url("b", current: false, expiresAt: wire(200))])

    @Test("each member is held to what protocol.md says of it, and the error names it, without its content", arguments: faults)
    func fault(_ fault: Fault) throws {
        var result = Self.sound
        fault.change(&result)
        let error = #expect(throws: FrontendError.self) { try DocumentCheck.check(result) }
        #expect(error?.code == .documentsUnusable)
        let message = try #require(error?.message)
        #expect(message.hasPrefix("\(fault.place) "), "\(message)")
        #expect(!message.utf8.contains { $0 < 0x20 })
    }

    @Test("what an agent says is taken as it is")
    func sound() throws {
        try DocumentCheck.check(Self.sound, answering: "demo")
        try DocumentCheck.check(discovery(of: "a", []))
        var bare = Self.sound
        bare.urls = [url("a")]
        bare.urls[0].issuerUrl = "https://oidc.example.com:8443"
        bare.urls[0].discoveryUri = "https://oidc.example.com:8443/.well-known/openid-configuration"
        bare.urls[0].jwksUri = "http://[2001:db8::1]/%7Ekeys/a:b@c;d=e,f/jwks.json"
        bare.urls[0].versions[0].discovery.body =
            "{\"issuer\":\"https://oidc.example.com:8443\",\"jwks_uri\":\"http://[2001:db8::1]/%7Ekeys/a:b@c;d=e,f/jwks.json\"}"
        for etag in ["\"\"", "W/\"a\"", "\"!#~\"", "\"\(String(repeating: "a", count: 254))\""] {
            bare.urls[0].versions[0].jwks.etag = etag
            try DocumentCheck.check(bare)
        }
    }

    @Test("an answer about another issuer than the one asked about is none")
    func otherIssuer() {
        let error = #expect(throws: FrontendError.self) { try DocumentCheck.check(Self.sound, answering: "other") }
        #expect(error?.message == "issuer is not the one that was asked about")
    }

    @Test("a false agent's header fields are not served: what was said before goes on, and the log says so once")
    func falseAgent() async throws {
        let (clock, pauses, records) = (TestClock(), ManualPause(), LogRecords())
        let agent = ScriptedSource([discovery(of: "demo", [url("a")])])
        let publication = LivePublication(clock: clock.reading, uptime: { 0 })
        let follower = AgentFollower(
            source: agent, publication: publication, pause: pauses.pause, random: { 0 }, logger: records.logger)
        let following = Task { try await follower.run() }
        defer { following.cancel() }
        try await eventually("served") { publication.jwks("a") == jwksBody("k1") && publication.current.confirmedAt == wire(0) }
        clock.move(to: moment(60))
        var forged = discovery(of: "demo", generation: 2, [url("a", [(wire(0), "stolen")])])
        forged.urls[0].versions[0].jwks.etag = "\"a\"\r\nSet-Cookie: b"
        agent.change(forged)
        let complaint = "the agent's documents for an issuer cannot be served, serving what it last said"
        try await eventually("the complaint") { records.messages.contains(complaint) }
        for _ in 0..<2 {
            let before = agent.asked.count
            try await eventually("a heartbeat") { pauses.end(.heartbeat) }
            try await eventually("asked again") { agent.asked.count > before }
        }
        #expect(publication.jwks("a") == jwksBody("k1"))
        #expect(publication.current.confirmedAt == wire(0), "the agent's word on this issuer is as old as it was")
        #expect(records.messages.count { $0 == complaint } == 1)
        agent.change(discovery(of: "demo", generation: 3, [url("a", [(wire(0), "k2")])]))
        try await eventually("the agent's own word") {
            publication.jwks("a") == jwksBody("k2") && publication.current.confirmedAt == wire(60)
        }
    }
}
