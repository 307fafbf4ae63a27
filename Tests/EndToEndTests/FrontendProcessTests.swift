import AgentProtocol
import Foundation
import Testing

@Suite("The frontend as a process")
struct FrontendProcessTests {
    @Test("it serves both documents with type, lifetime and entity tag, and answers 304, HEAD and 405")
    func documents() async throws {
        try await Installation.with { site in
            try await site.startAgent()
            // No standby key, which would join the set while it is looked at.
            _ = try await site.output(
                "issuer", "create", "demo", "--enable-oidc-issuer", "--no-standby", "--algorithm", "ES256")
            let url = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            try await site.startFrontend()
            let discoveryURL = url + ".well-known/openid-configuration"
            #expect(await poll("the documents") { try await site.get(discoveryURL).status == 200 })
            for (target, type, command) in [
                (discoveryURL, "application/json", "discovery"), (url + "openid/v1/jwks", "application/jwk-set+json", "jwks"),
            ] {
                let answer = try await site.get(target)
                #expect(answer.headers["content-type"]?.hasPrefix(type) == true, "\(answer.headers)")
                #expect(answer.headers["cache-control"] == "public, max-age=30")
                #expect(answer.body == (try await site.output(command, "demo")), "the agent's bytes")
                let etag = try #require(answer.headers["etag"])
                #expect(try await site.get(target, ["-H", "If-None-Match: \(etag)"]).status == 304)
                let head = try await site.get(target, ["-I"])
                #expect(head.status == 200 && head.body.isEmpty && head.headers["etag"] == etag)
                #expect(try await site.get(target, ["-X", "POST"]).status == 405)
            }
            #expect(try await site.get("/nothing/openid/v1/jwks").status == 404)
        }
    }

    @Test("a rotation is seen, and while the agent is away the last documents are served, also after a restart")
    func agentAway() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--enable-oidc-issuer", "--algorithm", "ES256")
            let url = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            let frontend = try await site.startFrontend()
            let jwks = url + "openid/v1/jwks"
            #expect(await poll("the documents") { try await site.get(jwks).status == 200 })
            // The second rotation wants a fresh key, which has to reach the frontend before it signs.
            _ = try await site.output("rotate", "demo", "--yes")
            let second = try await site.output("rotate", "demo", "--yes", "-o", "json", "--query", "publication.outcome")
            #expect(second == "\"published\"")
            let kid = try await site.output("issuer", "status", "demo", "--query", "activeKid", "-o", "tsv")
            #expect(await poll("the fresh key") { try await site.get(jwks).body.contains(kid) })

            await agent.end(SIGKILL)
            #expect(try await site.get(jwks).body.contains(kid))
            #expect(await frontend.end() == 0)
            try await site.startFrontend()
            #expect(try await site.get(jwks).body.contains(kid), "from its cache")
            #expect(try await site.get("/readyz").status == 200)
        }
    }
}
