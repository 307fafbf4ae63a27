import AgentClient
import AgentProtocol
import Foundation
import RelyingParty
import Testing

@Suite("The OIDC profile of an issuer")
struct ProfileTests {
    private static let defaultIssuer = "https://kubernetes.default.svc.cluster.local"

    @Test("enabling mints a URL of base, tenant and uuid with a trailing slash, and that is iss")
    func enablingMintsURL() async throws {
        try await AgentFixture.with { agent, client in
            let before = try await client.create(enabled: false)
            #expect(before.issuer == Self.defaultIssuer)
            #expect(before.oidcIssuerProfile == OIDCIssuerProfileView(enabled: false, issuerUrl: nil))
            #expect(before.jwksUri == nil)

            let after = try await client.call(IssuerUpdateParameters(issuer: "demo", enableOIDCIssuer: true))
            let url = try #require(after.issuer.oidcIssuerProfile.issuerUrl)
            let parts = url.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            #expect(Array(parts.prefix(4)) == ["https:", "", "oidc.example.com", agent.tenant])
            #expect(UUID(uuidString: parts[4]) != nil)
            #expect(parts.dropFirst(5) == [""])
            #expect(after.issuer.issuer == url)
            #expect(after.issuer.jwksUri == url + "openid/v1/jwks")
            #expect(after.warnings.contains { $0.contains(url) && $0.contains("relying parties") })

            let jwt = try await client.sign().jwt
            #expect(try await client.verify(jwt, iss: url, now: agent.clock.now).claims.issuer == url)
        }
    }

    @Test("issuer-status shows the URL, where the keys are, and what the issuer stands at")
    func statusShowsURL() async throws {
        try await AgentFixture.with { agent, client in
            let created = try await client.create()
            await agent.settle()
            let status = try await client.status()
            #expect(status.oidcIssuerProfile == created.oidcIssuerProfile)
            #expect(status.oidcIssuerProfile.enabled)
            #expect(status.oidcIssuerProfile.issuerUrl == status.issuer)
            #expect(status.jwksUri == status.issuer + "openid/v1/jwks")
            #expect(status.keyCounts == KeyCounts(standby: 1, active: 1, retiring: 0, retired: 0, revoked: 0))
            #expect(status.lifetimeSeconds == 3_600)
            #expect(status.maximumLifetimeSeconds == 86_400)
            #expect(status.overlapSeconds == 86_400)
            #expect(status.jwksMaxAgeSeconds == 30)
            #expect(status.hsm == "up")
            #expect(status.dataTimestamp.seconds == agent.clock.now)
        }
    }

    @Test("disabling goes back to the default issuer, and enabling again mints another URL")
    func reenablingMintsAnotherURL() async throws {
        try await AgentFixture.with { agent, client in
            let first = try await client.create().issuer
            let disabled = try await client.call(IssuerUpdateParameters(issuer: "demo", enableOIDCIssuer: false)).issuer
            #expect(disabled.issuer == Self.defaultIssuer)
            #expect(disabled.oidcIssuerProfile == OIDCIssuerProfileView(enabled: false, issuerUrl: nil))
            let jwt = try await client.sign().jwt
            #expect(try await client.verify(jwt, now: agent.clock.now).claims.issuer == Self.defaultIssuer)

            let again = try await client.call(IssuerUpdateParameters(issuer: "demo", enableOIDCIssuer: true)).issuer
            #expect(again.issuer != first)
            #expect(again.issuer.hasPrefix("\(AgentFixture.publicBaseURL)/\(agent.tenant)/"))
            #expect(try await client.discovery().urls.map(\.issuerUrl) == [again.issuer, first])
        }
    }

    @Test("enabling an enabled profile changes nothing")
    func enablingTwiceChangesNothing() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let before = try await client.status()
            let after = try await client.call(IssuerUpdateParameters(issuer: "demo", enableOIDCIssuer: true))
            #expect(after.issuer == before)
            #expect(after.warnings == [])
        }
    }

    @Test("a former URL is served through the overlap, verifies its JWTs, and is gone afterwards")
    func formerURLIsServedThroughOverlap() async throws {
        try await AgentFixture.with { agent, client in
            let url = try await client.create().issuer
            let jwt = try await client.sign(lifetime: 86_400).jwt
            let end = agent.clock.now + 86_400
            _ = try await client.call(IssuerUpdateParameters(issuer: "demo", enableOIDCIssuer: false))

            await agent.pass(86_399)
            let former = try #require(try await client.discovery().urls.first)
            #expect(former.issuerUrl == url)
            #expect(!former.current)
            #expect(former.expiresAt?.seconds == end)
            #expect(try await client.status().acceptedIssuers.map(\.issuerUrl) == [url])
            #expect(former.versions.last?.discovery.body.contains("\"issuer\":\"\(url)\"") == true)
            _ = try await client.verify(jwt, iss: url, now: agent.clock.now)

            await agent.pass(1)
            #expect(try await client.discovery().urls.isEmpty)
            #expect(try await client.status().acceptedIssuers.isEmpty)
        }
    }

    @Test("immediately drops the former URL at once, and the reply says that its JWTs no longer verify")
    func immediatelyDropsFormerURL() async throws {
        try await AgentFixture.with { _, client in
            let url = try await client.create().issuer
            let result = try await client.call(
                IssuerUpdateParameters(issuer: "demo", enableOIDCIssuer: false, immediately: true))
            #expect(result.issuer.acceptedIssuers.isEmpty)
            #expect(result.warnings.contains { $0.contains(url) && $0.contains("no longer verify") })
            #expect(try await client.discovery().urls.isEmpty)
        }
    }

    @Test("a changed public base URL counts from the next enabling on")
    func changedBaseURL() async throws {
        try await AgentFixture.with { _, client in
            let before = try await client.create().issuer
            _ = try await client.call(ReloadParameters())
            #expect(try await client.status().issuer == before)
            let after = try await client.create("other").issuer
            #expect(after.hasPrefix("https://moved.example.com/"))
        }
    }

    @Test("when a reload moves the public base URL, its reply and health name the issuers that stay on the former one")
    func namesIssuersElsewhere() async throws {
        try await AgentFixture.with { _, client in
            try await client.create("billing")
            try await client.create("plain", enabled: false)
            #expect(try await client.health().notices == nil)
            let warnings = try await client.call(ReloadParameters()).warnings
            #expect(warnings.count == 1)
            #expect(warnings.first?.contains("billing;") == true)
            #expect(warnings.first?.contains("--new-issuer-url") == true)
            // Said once by the reload that changes it, and by health as long as it is so.
            #expect(try await client.call(ReloadParameters()).warnings == [])
            let health = try await client.health()
            #expect(health.notices == warnings)
            #expect(health.status == "ok")

            _ = try await client.call(IssuerUpdateParameters(issuer: "billing", newIssuerURL: true))
            #expect(try await client.health().notices == nil)
        }
    }

    @Test("a new URL is minted in one step: JWTs go from one to the other, never by way of the default issuer")
    func newURLInOneStep() async throws {
        try await AgentFixture.with { agent, client in
            let former = try await client.create().issuer
            await agent.settle()
            _ = try await client.call(ReloadParameters())
            let generation = try await client.status().generation
            let old = try await client.sign().jwt

            let result = try await client.call(IssuerUpdateParameters(issuer: "demo", newIssuerURL: true))
            let url = result.issuer.issuer
            #expect(url.hasPrefix("https://moved.example.com/"))
            #expect(result.issuer.generation == generation + 1)
            #expect(result.issuer.oidcIssuerProfile == OIDCIssuerProfileView(enabled: true, issuerUrl: url))
            #expect(result.warnings.contains { $0.contains(url) })
            #expect(try await client.discovery().urls.map(\.issuerUrl) == [url, former])
            _ = try await client.verify(old, iss: former, now: agent.clock.now)
            _ = try await client.verify(try await client.sign().jwt, iss: url, now: agent.clock.now)
        }
    }

    @Test("an issuer without a URL gets no new one, and is told how to get its first")
    func newURLWithoutProfile() async throws {
        try await AgentFixture.with { _, client in
            try await client.create(enabled: false)
            let error = try await refusal {
                _ = try await client.call(IssuerUpdateParameters(issuer: "demo", newIssuerURL: true))
            }
            #expect(error.reason == .policyInvalid)
            #expect(error.hint?.contains("--enable-oidc-issuer") == true)
        }
    }

    @Test("nbf is dated back by the issuer's skew")
    func notBeforeSkew() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            let status = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(notBeforeSkewSeconds: 60)))
                .issuer
            #expect(status.notBeforeSkewSeconds == 60)
            let jwt = try await client.sign().jwt
            // A minute behind, a relying party takes it already.
            let claims = try await client.verify(jwt, now: agent.clock.now - 60).claims
            #expect(claims.notBefore == Double(agent.clock.now - 60))
            #expect(claims.issuedAt == Double(agent.clock.now))
            let error = try await refusal {
                _ = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(notBeforeSkewSeconds: 61)))
            }
            #expect(error.reason == .policyInvalid)
        }
    }

    @Test("deleting an issuer revokes every key, ends every document and destroys the private keys")
    func deletionEndsEverything() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            let published = try kids(of: try await client.discovery().jwks)
            #expect(published.count == 3)

            let result = try await client.call(IssuerDeleteParameters(issuer: "demo"))
            #expect(Set(result.revoked) == Set(published))
            #expect(result.exposureSeconds == 30)
            #expect(try await refusal { _ = try await client.discovery() }.reason == .issuerNotFound)
            #expect(try await refusal { _ = try await client.sign() }.reason == .issuerNotFound)
            #expect(try await client.call(IssuerListParameters()).issuers.isEmpty)
            await agent.settle()
            #expect(try agent.privateKeysOnToken().isEmpty)
        }
    }
}
