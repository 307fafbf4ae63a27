import AgentClient
import AgentProtocol
import Foundation
import PKCS11
import Platform
import RelyingParty
import SoftHSMSupport
import Testing

@Suite("A killed agent")
struct KillTests {
    /// Delays in milliseconds, so that kills land before, in and after what a rotation does.
    @Test("loses no key, leaves one active, and what it published still verifies", arguments: ["ES256", "RS256"])
    func kills(algorithm: String) async throws {
        try await Installation.with { site in
            var agent = try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--enable-oidc-issuer", "--algorithm", algorithm)
            for delay in [0, 3, 9, 20, 45, 80, 150, 260] {
                let client = try await site.connect()
                let jwt = try await client.call(SignParameters(issuer: "demo", claims: ["aud": "api"]))
                let rotating = Task {
                    // Until the agent is gone under it.
                    while true { _ = try await client.call(RotateParameters(issuer: "demo")) }
                }
                try await Task.sleep(for: .milliseconds(delay))
                await agent.end(SIGKILL)
                _ = await rotating.result
                await client.close()
                agent = try await site.startAgent()
                try await check(site, jwt)
            }
            #expect(await agent.end() == 0)
        }
    }

    private func check(_ site: Installation, _ jwt: SignResult) async throws {
        let client = try await site.connect()
        // What was cut off is finished beside the requests.
        #expect(
            await poll("a whole ring") {
                let counts = try await client.call(IssuerStatusParameters(issuer: "demo")).keyCounts
                let health = try await client.call(HealthParameters())
                let onToken = try privateKeys(site.token)
                return counts.standby == 1 && health.status == "ok"
                    && onToken == counts.active + counts.standby + counts.retiring
            }, "every private key on the token belongs to a key of the ring")
        let keys = try await client.call(ListKeysParameters(issuer: "demo", limit: 500)).keys
        let live = keys.filter { ["active", "standby", "retiring"].contains($0.state) }
        #expect(live.filter { $0.state == "active" }.count == 1)
        #expect(live.filter { $0.state == "retiring" }.count <= 1)
        #expect(live.allSatisfy { $0.custody?.neverExtractable == true && $0.custody?.sensitive == true })
        #expect(keys.contains { $0.kid == jwt.kid }, "no committed key is forgotten")

        let documents = try await client.call(GetDiscoveryParameters(issuer: "demo"))
        let verifier = try await JWTVerifier(keySet: Array(documents.jwks.body.utf8))
        #expect(live.allSatisfy { documents.jwks.body.contains($0.kid) })
        let fresh = try await client.call(SignParameters(issuer: "demo", claims: ["aud": "api"]))
        let now = Date().timeIntervalSince1970
        _ = try verifier.verify(fresh.jwt, now: now)
        if live.contains(where: { $0.kid == jwt.kid }) { _ = try verifier.verify(jwt.jwt, now: now) }
        await client.close()
    }

    /// Private keys on the token, seen by another process's worth of module.
    private func privateKeys(_ token: SoftHSMToken) throws -> Int {
        let module = try token.module()
        defer { try? module.finalize() }
        let session = try token.session()
        return try session.findObjects([.class(.privateKey)]).count
    }
}
