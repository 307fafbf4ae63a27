import AgentProtocol
import Foundation
import Logging
import ServiceLifecycle
import Testing

@testable import OIDCFrontend

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

@Suite("The documents over HTTP")
struct DocumentServerTests {
    @Test(
        "GET serves the bytes with media type, entity tag and max-age",
        arguments: [
            (
                discoveryPath("a"), "application/json", "\"d-k1\"",
                discoveryBody("https://oidc.example.com/tenant/a/", "k1")
            ),
            (jwksPath("a"), "application/jwk-set+json", "\"j-k1\"", jwksBody("k1")),
        ])
    func get(path: String, mediaType: String, etag: String, body: String) async throws {
        try await withServer { server in
            let answer = try await server.request("GET", path)
            #expect(answer.status == 200)
            #expect(answer.body == body)
            #expect(answer["Content-Type"] == mediaType)
            #expect(answer["ETag"] == etag)
            #expect(answer["Cache-Control"] == "public, max-age=300")
            #expect(answer["Content-Length"] == "\(body.utf8.count)")
            #expect(answer["X-Content-Type-Options"] == "nosniff")
            #expect(answer["Access-Control-Allow-Origin"] == "*")
            #expect(answer["Access-Control-Expose-Headers"] == "ETag")
        }
    }

    @Test("a client that puts one more slash behind the issuer URL gets the same answer", arguments: ["GET", "HEAD"])
    func doubledSlash(method: String) async throws {
        try await withServer { server in
            for (path, doubled) in [
                (discoveryPath("a"), "/tenant/a//.well-known/openid-configuration"),
                (jwksPath("a"), "/tenant/a//openid/v1/jwks?x=1"),
            ] {
                let answer = try await server.request(method, path)
                let same = try await server.request(method, doubled)
                #expect(answer.status == 200 && same.status == 200)
                #expect(same.body == answer.body)
                for name in ["Content-Type", "Content-Length", "ETag", "Cache-Control", "Access-Control-Allow-Origin"] {
                    #expect(same[name] == answer[name], "\(name)")
                }
                let known = try await server.request(method, doubled, ["If-None-Match": try #require(answer["ETag"])])
                #expect(known.status == 304)
            }
        }
    }

    @Test("a query is not part of the path")
    func query() async throws {
        try await withServer { server in
            let answer = try await server.request("GET", jwksPath("a") + "?x=1")
            #expect(answer.body == jwksBody("k1"))
        }
    }

    @Test(
        "HEAD has the header of GET and no body",
        arguments: [discoveryPath("a"), jwksPath("a"), "/healthz", "/readyz", "/nowhere"])
    func head(path: String) async throws {
        try await withServer { server in
            let get = try await server.request("GET", path)
            let head = try await server.request("HEAD", path)
            #expect(head.status == get.status)
            #expect(head.body == "")
            for name in ["Content-Type", "Content-Length", "ETag", "Cache-Control", "Access-Control-Allow-Origin"] {
                #expect(head[name] == get[name], "\(name)")
            }
            #expect(get["Content-Length"] == "\(get.body.utf8.count)")
        }
    }

    @Test("a document that the client has already is 304, to GET and HEAD", arguments: ["GET", "HEAD"])
    func notModified(method: String) async throws {
        try await withServer { server in
            for field in ["\"j-k1\"", "W/\"j-k1\"", "*", "\"other\", \"j-k1\""] {
                let answer = try await server.request(method, jwksPath("a"), ["If-None-Match": field])
                #expect(answer.status == 304, "\(field)")
                #expect(answer.body == "")
                #expect(answer["ETag"] == "\"j-k1\"")
                #expect(answer["Cache-Control"] == "public, max-age=300")
                #expect(answer["Access-Control-Allow-Origin"] == "*")
                #expect(answer["Content-Length"] != "0")
            }
            let other = try await server.request(method, jwksPath("a"), ["If-None-Match": "\"j-k2\""])
            #expect(other.status == 200)
        }
    }

    @Test("other methods are refused and told which there are", arguments: ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    func methods(method: String) async throws {
        try await withServer { server in
            for (path, allowed) in [
                (discoveryPath("a"), "GET, HEAD, OPTIONS"), (jwksPath("a"), "GET, HEAD, OPTIONS"), ("/healthz", "GET, HEAD"),
                ("/readyz", "GET, HEAD"),
            ] where method != "OPTIONS" || path.utf8.count < 10 {
                let answer = try await server.request(method, path)
                #expect(answer.status == 405, "\(path)")
                #expect(answer["Allow"] == allowed, "\(path)")
            }
        }
    }

    @Test(
        "a browser that asks beforehand learns that every script may get a document, with header fields of its own",
        arguments: [discoveryPath("a"), jwksPath("a"), "/tenant/a//.well-known/openid-configuration"])
    func preflight(path: String) async throws {
        let fields = [
            "Origin": "https://app.example.com", "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,if-none-match,x-any",
        ]
        try await withServer { server in
            for fields in [fields, [:]] {
                let answer = try await server.request("OPTIONS", path, fields)
                #expect(answer.status == 204)
                #expect(answer.body == "")
                #expect(answer["Access-Control-Allow-Origin"] == "*")
                #expect(answer["Access-Control-Allow-Methods"] == "GET, HEAD")
                let headers = try #require(answer["Access-Control-Allow-Headers"])
                #expect(Set(headers.components(separatedBy: ", ")).isSuperset(of: ["*", "Authorization", "If-None-Match"]))
                #expect(answer["Access-Control-Max-Age"] == "86400")
                #expect(answer["Access-Control-Allow-Credentials"] == nil)
                #expect(answer["Allow"] == "GET, HEAD, OPTIONS")
                // RFC 9110 §8.6: neither is allowed with 204.
                #expect(answer["Content-Length"] == nil && answer["Transfer-Encoding"] == nil)
            }
            #expect(try await server.request("OPTIONS", "/tenant/b/openid/v1/jwks", fields).status == 404)
        }
    }

    @Test("a script sees that a document is not there, and nothing of the frontend's own pages")
    func originOfOthers() async throws {
        try await withServer { server in
            #expect(try await server.request("GET", "/tenant/b/openid/v1/jwks")["Access-Control-Allow-Origin"] == "*")
            for path in ["/healthz", "/readyz"] {
                let own = try await server.request("GET", path)
                #expect(own["Access-Control-Allow-Origin"] == nil)
            }
        }
    }

    @Test("an unknown path is 404 and kept by no cache", arguments: ["/", "/tenant/b/openid/v1/jwks", "/tenant/a/", "/metrics"])
    func notFound(path: String) async throws {
        try await withServer { server in
            let answer = try await server.request("GET", path)
            #expect(answer.status == 404)
            #expect(answer.body == "not found\n")
            #expect(answer["Cache-Control"] == "no-store")
            #expect(answer["ETag"] == nil)
        }
    }

    @Test("a rotation, and then the retiring key's end, are visible on the same connection")
    func rotation() async throws {
        let clock = TestClock()
        let publication = LivePublication(served, clock: clock.reading, uptime: { 0 })
        try await withServer(publication) { server in
            #expect(try await server.request("GET", jwksPath("a")).body == jwksBody("k1"))
            publication.apply(discovery(of: "demo", [url("a", [(wire(0), "k2+k1"), (wire(86_400), "k2")])]))
            #expect(try await server.request("GET", jwksPath("a"), ["If-None-Match": "\"j-k1\""]).body == jwksBody("k2+k1"))
            clock.move(to: moment(86_400 - 20))
            #expect(try await server.request("GET", jwksPath("a"))["Cache-Control"] == "public, max-age=20")
            clock.move(to: moment(86_400))
            let after = try await server.request("GET", jwksPath("a"), ["If-None-Match": "\"j-k2+k1\""])
            #expect(after.status == 200)
            #expect(after.body == jwksBody("k2"))
        }
    }

    @Test("readyz follows the agent's word, healthz does not")
    func readiness() async throws {
        let clock = TestClock()
        let publication = LivePublication(clock: clock.reading, uptime: { 0 })
        try await withServer(publication) { server in
            let never = try await server.request("GET", "/readyz")
            #expect(never.status == 503)
            #expect(never.body == "no word from the agent yet\n")
            publication.confirm()
            #expect(try await server.request("GET", "/readyz").body == "ready\n")
            clock.move(to: moment(3601))
            let stale = try await server.request("GET", "/readyz")
            #expect(stale.status == 503)
            #expect(stale.body == "the agent's last word is 3601 s old\n")
            #expect(stale["Cache-Control"] == "no-store")
            let health = try await server.request("GET", "/healthz")
            #expect(health.status == 200)
            #expect(health.body == "ok\n")
        }
    }

    @Test("a port in use, an address of another machine and an unknown host are refused by name")
    func cannotListen() async throws {
        try await withServer { server in
            for (host, port, reason) in [
                ("127.0.0.1", server.port, "the port is in use"), ("192.0.2.1", 0, "no address of this machine"),
                ("two..dots", 0, "no such host"),
            ] {
                let error = await #expect(throws: FrontendError.self) {
                    try await DocumentServer.probe(host: host, port: port)
                }
                #expect(error?.code == .cannotListen)
                #expect(error?.message == "cannot listen on \(host), port \(port): \(reason)")
            }
        }
    }

    private let served = Publication(results: [discovery(of: "demo", [url("a")])], confirmedAt: wire(0))

    private func withServer(_ publication: LivePublication? = nil, _ body: (RunningServer) async throws -> Void) async throws {
        let publication = publication ?? LivePublication(served, clock: moment(0).reading, uptime: { 0 })
        try await withRunningServer(DocumentResponder(publication: publication), body)
    }
}

extension Moment {
    /// A clock that always stands here.
    var reading: @Sendable () -> Moment { { self } }
}
