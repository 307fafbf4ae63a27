import AgentProtocol
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
            let (second, keys) = try await agent.withHeadSigner { signer in
                (try await SignedHead(of: link, signedBy: signer), try await signer.publicKeys())
            }
            #expect(first.kid == second.kid)
            #expect(keys.map(\.kid) == [first.kid])
            #expect(keys[0].hasSigned(first) && keys[0].hasSigned(second))
            let changed = SignedHead(link: AuditLink(seq: 42, hash: link.hash), kid: first.kid, signature: first.signature)
            #expect(!keys[0].hasSigned(changed))
            #expect(try AuditPublicKey.keys(pem: "kid: x\n\(keys[0].pem)\nkid: y\n\(keys[0].pem)\n").count == 2)
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
        "what is no P-256 public key is no audit key",
        arguments: ["", "hello", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"])
    func noKey(_ pem: String) {
        #expect(throws: AuditError(.keyInvalid, "", hint: "")) { try AuditPublicKey.keys(pem: pem) }
    }
}

extension AgentFixture {
    /// Logs in as the agent does, and calls with the signer of its heads.
    func withHeadSigner<Value: Sendable>(_ body: (TokenHeadSigner) async throws -> Value) async throws -> Value {
        let hsm = try await AgentServer.logIn(configuration.withLock { $0 }, store: store, environment)
        do {
            let value = try await body(hsm.headSigner(deployment: deployment))
            await hsm.shutdown()
            return value
        } catch {
            await hsm.shutdown()
            throw error
        }
    }
}
