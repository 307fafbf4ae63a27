import AgentProtocol
import FaultyTokenSupport
import Foundation
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@testable import Agent

@Suite("The audit key")
struct AuditKeyTests {
    @Test("the key is made when the token has none, found again afterwards, and its heads verify")
    func madeOnce() async throws {
        try await AgentFixture.stopped { agent in
            let link = AuditLink(seq: 41, hash: [UInt8](repeating: 9, count: 32))
            let first = try await agent.withHeadSigner { try await SignedHead(of: link, signedBy: $0) }
            let second = try await agent.withHeadSigner { try await SignedHead(of: link, signedBy: $0) }
            let keys = try await agent.auditKeys()
            #expect(first.kid == second.kid)
            #expect(keys.map(\.kid) == [first.kid])
            #expect(keys[0].hasSigned(first) && keys[0].hasSigned(second))
            let changed = SignedHead(link: AuditLink(seq: 42, hash: link.hash), kid: first.kid, signature: first.signature)
            #expect(!keys[0].hasSigned(changed))
            #expect(try AuditPublicKey.keys(pem: "kid: x\n\(keys[0].pem)\nkid: y\n\(keys[0].pem)\n").count == 2)
        }
    }

    @Test("each agent of a fleet has a key of its own on their token, and the keys say whose they are")
    func ofAgents() async throws {
        try await AgentFixture.stopped { agent in
            let link = AuditLink(seq: 41, hash: [UInt8](repeating: 9, count: 32))
            try await agent.withHeadSigner { try await $0.prepare() }
            for name in ["b", "a", "a.2", "b"] { try await agent.withHeadSigner(of: name) { try await $0.prepare() } }
            let keys = try await agent.auditKeys()
            #expect(keys.map(\.agent) == [nil, "a", "a.2", "b"])
            for key in keys {
                let head = try await agent.withHeadSigner(of: key.agent) { try await SignedHead(of: link, signedBy: $0) }
                #expect(keys.filter { $0.hasSigned(head) }.map(\.agent) == [key.agent] && head.kid == key.kid)
            }
            let shown = try AuditPublicKey.shown(by: agent.configuration.withLock { $0.hsm }, deployment: agent.deployment)
            #expect(shown.map(\.kid) == keys.map(\.kid) && shown.map(\.agent) == keys.map(\.agent))
            let text = keys.map { ($0.agent.map { "agent: \($0)\n" } ?? "") + "kid: \($0.kid)\n\($0.pem)\n" }.joined()
            #expect(try AuditPublicKey.keys(pem: text).map(\.agent) == keys.map(\.agent))
        }
    }

    @Test("a key that the token stops showing is not replaced by another while the agent runs")
    func vanished() async throws {
        try await AgentFixture.stopped { agent in
            try await agent.withHeadSigner { signer in
                try await signer.prepare()
                try agent.onToken { session in
                    for object in try session.findObjects([.label(TokenHeadSigner.label(of: agent.deployment))]) {
                        try session.destroyObject(object)
                    }
                }
                await #expect(throws: HSMError(.keyUnavailable, "", hint: "")) { try await signer.prepare() }
            }
        }
    }

    @Test("the token shows the public half to who has not logged in")
    func withoutLogin() async throws {
        try await AgentFixture.stopped { agent in
            try await agent.withHeadSigner { try await $0.prepare() }
            let hsm = agent.configuration.withLock { $0.hsm }
            #expect(try AuditPublicKey.shown(by: hsm, deployment: agent.deployment).count == 1)
            #expect(try AuditPublicKey.shown(by: hsm, deployment: "another").isEmpty)
            for (deployment, count) in [(agent.deployment, 1), ("another", 0)] {
                let keys = try await AuditPublicKey.onToken(
                    agent.configuration.withLock { $0 }, store: agent.store, deployment: deployment,
                    environment: agent.environment)
                #expect(keys.count == count)
            }
        }
    }

    @Test("to reconciliation the key is somebody else's, and it outlives every signing key")
    func foreign() async throws {
        try await AgentFixture.stopped { agent in
            try await agent.withHeadSigner { try await $0.prepare() }
            try await agent.start()
            try await agent.connected { client in
                try await client.create()
                let report = try await client.reconcile(dryRun: false)
                #expect(report.foreignObjects == 2)
                #expect(report.findings.isEmpty && report.actions.isEmpty)
                #expect(report.objectsWithoutID == 0 && report.otherDeployments.isEmpty)
            }
            let label = TokenHeadSigner.label(of: agent.deployment)
            let objects = try agent.onToken { session in try session.findObjects([.label(label)]).count }
            #expect(objects == 2)
            await agent.stop()
        }
    }

    @Test(
        "a token without EC has an RSA key instead, which proves a log as well and leaves health ok",
        arguments: ["CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA"])
    func rsa(hidden: String) async throws {
        try await AgentFixture.stopped { agent, token in
            try token.set("* hide-mechanism=\(hidden)")
            agent.configuration.withLock { $0.audit.headInterval = 3_600 }
            try await agent.start()
            try await agent.connected { client in
                try await client.create(algorithm: "RS256", standby: false)
                _ = try await client.sign()
                #expect(await eventually { try agent.audited().contains { $0["type"]?.string == "head" } })
                let health = try await client.health()
                #expect(health.status == "ok" && health.problems.isEmpty, "\(health.problems)")
            }
            await agent.stop()
            let keys = try await AuditPublicKey.onToken(
                agent.configuration.withLock { $0 }, store: agent.store, deployment: agent.deployment,
                environment: agent.environment)
            #expect(keys.count == 1)
            // As it is carried to another machine.
            let carried = try AuditPublicKey.keys(pem: try #require(keys.first).pem)
            #expect(carried.map(\.kid) == keys.map(\.kid))
            var verification = AuditVerification(publicKeys: carried)
            try verification.read([agent.auditPath])
            #expect(
                verification.verdict == .proven && verification.proof?.isSigned == true,
                "\(verification.findings) \(verification.doubts)")
            // The same key again, also where the token can do better by now.
            try token.clear()
            let kid = try await agent.withHeadSigner { signer in
                try await SignedHead(of: AuditLink(seq: 1, hash: AuditChain.origin), signedBy: signer).kid
            }
            #expect(kid == keys[0].kid)
        }
    }

    @Test("a key that the token holds otherwise than the custody rules want signs no heads, whoever has put it there")
    func custody() async throws {
        try await AgentFixture.stopped { agent, token in
            try await agent.withHeadSigner { try await $0.prepare() }
            let genuine = try await agent.auditKeys().map(\.kid)
            try token.set("* attribute=CKA_EXTRACTABLE:true")
            await #expect(throws: HSMError(.custodyRefused, "", hint: "")) {
                try await agent.withHeadSigner { try await $0.prepare() }
            }
            try token.clear()
            #expect(try await agent.auditKeys().map(\.kid) == genuine)
        }
    }

    @Test("keys are read from PEM as other programs write it", arguments: ["EC", "RSA"])
    func pem(kind: String) throws {
        let keys = try AuditPublicKey.keys(pem: Self.samples[kind]!)
        #expect(keys.count == 1)
        #expect(try AuditPublicKey.keys(pem: keys[0].pem).map(\.kid) == keys.map(\.kid))
        #expect(keys[0].pem == Self.samples[kind])
    }

    @Test(
        "what is no P-256 or RSA public key is no audit key",
        arguments: [
            "", "hello", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", samples["P-384"]!, samples["short RSA"]!,
        ])
    func noKey(_ pem: String) {
        #expect(throws: AuditError(.keyInvalid, "", hint: "")) { try AuditPublicKey.keys(pem: pem) }
    }

    /// By OpenSSL.
    static let samples = [
        "EC": """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8pabj6zUXK3Hndi20qalaRnGXHFj
        pUrZsUs/jiuagsOyn2bwP5l1HlykDHDAHMwCKICHW+gM3bwvQlibYrvotQ==
        -----END PUBLIC KEY-----
        """,
        "RSA": """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlNQXKvuyVDu6CCNTqXiW
        h/VtLfjfmJFf5zXQLGVhb2rPRmBmEAHohjTl4IpAi7aPWiPNm/9+Iz0MMMyKV1c4
        xkJzzfat+cI96PqlWvBsNvVVNuwPaw0YEIKwJgL3OASHtlxcVVizhHmxXXJjdEQD
        bxrEVIOp6TtnvL/N/PFwz9s1WeHJIdruBjRd7H2j2bWWCZitiEwsLdfSjL/FMeEe
        sKlJnsUCrYPLAdR+IpyTHuNdd+6bozStCtk2y08jGxwj71L6DTqIhp18JbBuksww
        eJxjcJG7Id35z2I5qFFuvkgCxZd34QRNl35V75bik1xm2oW5mBIhe2vuBoSppO2V
        wQIDAQAB
        -----END PUBLIC KEY-----
        """,
        "P-384": """
        -----BEGIN PUBLIC KEY-----
        MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE8MDcYQaQh7kU53e/bGpoDn0sbYMShj9k
        iQEhmLM3NbMknQtXueHG21IImO2OqAMo25VnviFHC+ltCIm3kKlDbBCWDAmHVLSa
        N1Ru6hg32s/c2zNYx+17lTdxywDbgP4T
        -----END PUBLIC KEY-----
        """,
        "short RSA": """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDa5uUY2TuVkCBfqrDFWoQ47o0m
        Zxp1sHgdeuPW27A5bZAdPU+1/Q4sC1e/+3FDfTAVjNQTDUSlgCxD3I7SEfApdwsF
        Z5bWS7UWKuIIAvEE75+m+GVXkUYWgWLDx/xFqfVbsFoOmSgwFOJlmfuYZmpo3dZ0
        Qnh1QLH+It6M1r+lTwIDAQAB
        -----END PUBLIC KEY-----
        """,
    ]
}

extension AgentFixture {
    /// Logs in as the agent does, and calls with the signer of its heads.
    func withHeadSigner<Value: Sendable>(
        of agent: String? = nil, _ body: (TokenHeadSigner) async throws -> Value
    ) async throws -> Value {
        try await withHSM { try await body($0.headSigner(deployment: deployment, agent: agent)) }
    }

    /// The audit keys that the token shows once it is logged in to.
    func auditKeys() async throws -> [AuditPublicKey] {
        try await withHSM { try await $0.auditPublicKeys(of: deployment) }
    }
}
