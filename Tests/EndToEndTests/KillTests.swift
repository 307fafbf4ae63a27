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
                    var acknowledged: RotationResult?
                    do {
                        while true { acknowledged = try await client.call(RotateParameters(issuer: "demo")) }
                    } catch is AgentUnreachable {
                        return acknowledged
                    }
                }
                try await Task.sleep(for: .milliseconds(delay))
                await agent.end(SIGKILL)
                let acknowledged = try await rotating.value
                await client.close()
                agent = try await site.startAgent()
                try await check(site, jwt, acknowledged)
            }
            #expect(await agent.end() == 0)
        }
    }

    private func check(_ site: Installation, _ jwt: SignResult, _ acknowledged: RotationResult?) async throws {
        let client = try await site.connect()
        // What was cut off is finished beside the requests.
        #expect(
            await poll("a whole ring") {
                let live = try await client.call(ListKeysParameters(issuer: "demo", limit: 500)).keys.filter(isLive)
                let health = try await client.call(HealthParameters())
                let onToken = try privateKeys(site.token)
                return live.contains { $0.state == "standby" } && health.status == "ok"
                    && onToken == Set(live.map { $0.custody?.keyID })
            }, "every private key on the token belongs to a key of the ring")
        let keys = try await client.call(ListKeysParameters(issuer: "demo", limit: 500)).keys
        let live = keys.filter(isLive)
        #expect(live.filter { $0.state == "active" }.count == 1)
        #expect(live.filter { $0.state == "retiring" }.count <= 1)
        #expect(live.allSatisfy { $0.custody?.neverExtractable == true && $0.custody?.sensitive == true })
        #expect(keys.contains { $0.kid == jwt.kid }, "no committed key is forgotten")
        // At most one rotation came after the last acknowledged one, and its predecessor is retiring then.
        let expected = acknowledged?.activeKid ?? jwt.kid
        #expect(live.contains { $0.kid == expected && $0.state != "standby" }, "an acknowledged rotation is lost")
        let generation = try await client.call(IssuerStatusParameters(issuer: "demo")).generation
        #expect(generation >= acknowledged?.generation ?? 1)

        let documents = try await client.call(GetDiscoveryParameters(issuer: "demo"))
        let verifier = try await JWTVerifier(keySet: Array(documents.jwks.body.utf8))
        #expect(live.allSatisfy { documents.jwks.body.contains($0.kid) })
        let fresh = try await client.call(SignParameters(issuer: "demo", claims: ["aud": "api"]))
        let now = Date().timeIntervalSince1970
        _ = try verifier.verify(fresh.jwt, now: now)
        if live.contains(where: { $0.kid == jwt.kid }) { _ = try verifier.verify(jwt.jwt, now: now) }
        await client.close()
    }

    private func isLive(_ key: KeyView) -> Bool {
        ["active", "standby", "retiring"].contains(key.state)
    }

    /// The `CKA_ID`s of the private keys on the token, seen by another process's worth of module.
    ///
    /// Not those without one: SoftHSM writes an object with default attributes first, without `CKA_ID` and key, and what a
    /// kill leaves of that is nobody's.
    private func privateKeys(_ token: SoftHSMToken) throws -> Set<String?> {
        let module = try token.module()
        defer { try? module.finalize() }
        let session = try token.session()
        let ids = try session.findObjects([.class(.privateKey)]).compactMap { try session.bytes(.id, of: $0) }
        return Set(ids.filter { !$0.isEmpty }.map { $0.map { String(format: "%02x", $0) }.joined() })
    }
}
