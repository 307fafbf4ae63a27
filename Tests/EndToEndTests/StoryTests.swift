import Foundation
import Testing

/// Operator, service and relying party, each through its own program.
@Suite("The story, through the programs")
struct StoryTests {
    @Test("issue, verify, rotate, rotate again, move the issuer, delete it")
    func story() async throws {
        try await Installation.with { site in
            try await site.startAgent()
            try await site.startFrontend()
            _ = try await site.output("issuer", "create", "demo", "--enable-oidc-issuer")
            let url = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            #expect(url.hasPrefix("http://127.0.0.1:\(site.port)/"))
            #expect(await poll("the documents") { try await site.get(url + ".well-known/openid-configuration").status == 200 })

            func issue() async throws -> String {
                try await site.output("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
            }
            func verdict(_ jwt: String) async throws -> Int32 {
                try await site.privyseal("jwt", "verify", "--issuer-url", url, "-", input: jwt + "\n").status
            }
            let jwt1 = try await issue()
            #expect(try await verdict(jwt1) == 0)

            let kid1 = try await site.output("issuer", "status", "demo", "--query", "activeKid", "-o", "tsv")
            _ = try await site.output("issuer", "rotate-signing-keys", "demo", "--yes")
            let kid2 = try await site.output("issuer", "status", "demo", "--query", "activeKid", "-o", "tsv")
            #expect(kid1 != kid2)
            let jwt2 = try await issue()
            #expect(try await verdict(jwt1) == 0)
            #expect(try await verdict(jwt2) == 0)

            _ = try await site.output("rotate", "demo", "--yes")
            let jwt3 = try await issue()
            #expect(await poll("the end of JWT 1") { try await verdict(jwt1) == 4 })
            #expect(try await verdict(jwt2) == 0)
            #expect(try await verdict(jwt3) == 0)
            let forged = String(jwt3.dropLast(8)) + "AAAAAAAA"
            #expect(try await verdict(forged) == 4)

            _ = try await site.output("issuer", "update", "demo", "--disable-oidc-issuer", "--yes")
            _ = try await site.output("issuer", "update", "demo", "--enable-oidc-issuer", "--yes")
            let moved = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            #expect(moved != url)
            #expect(await poll("the new URL") { try await site.get(moved + "openid/v1/jwks").status == 200 })
            #expect(try await verdict(jwt3) == 0, "the former URL is served through the overlap")

            _ = try await site.output("issuer", "delete", "demo", "--yes")
            #expect(await poll("the end of the documents") { try await site.get(moved + "openid/v1/jwks").status == 404 })
            #expect(try await site.get(url + "openid/v1/jwks").status == 404)
        }
    }
}
