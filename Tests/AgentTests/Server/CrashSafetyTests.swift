import Agent
import AgentClient
import AgentProtocol
import Foundation
import IssuerStore
import KeyLifecycle
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@Suite("What a crash leaves between store and token")
struct CrashSafetyTests {
    @Test("a key that was generated and is wanted enters its ring at the next start")
    func wantedKeyIsAdopted() async throws {
        try await AgentFixture.with { agent, client in
            // The process ends after C_GenerateKeyPair and before the commit of the standby key.
            agent.failures.fail { call in
                switch call {
                case .commit(let change): change.issuer?.generation != 1
                case .bury, .abandon: true
                default: false
                }
            }
            try await client.create()
            await agent.settle()
            let left = try #require(try await agent.store.contents().intents.first)
            let onToken = try agent.privateKeysOnToken()
            #expect(onToken.contains(left.keyID.description))

            agent.failures.fail { _ in false }
            try await agent.restart()
            await agent.settle()
            try await agent.connected { again in
                #expect(try await again.key("standby")?.custody?.keyID == left.keyID.description)
                #expect(try agent.privateKeysOnToken() == onToken)
                try await again.rotate()
                let jwt = try await again.sign().jwt
                _ = try await again.verify(jwt, now: agent.clock.now)
            }
            #expect(try await agent.store.contents().intents.filter { $0.keyID == left.keyID }.isEmpty)
        }
    }

    @Test("a key that was generated and is not wanted is destroyed at the next start")
    func unwantedKeyIsDestroyed() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            await agent.stop()
            let keyID = try await agent.recordIntent()
            try agent.generateKey(keyID)
            try await agent.start()
            await agent.settle()
            #expect(try !agent.privateKeysOnToken().contains(keyID.description))
            #expect(try agent.privateKeysOnToken().count == 1)
            let contents = try await agent.store.contents()
            #expect(contents.intents.isEmpty)
            #expect(contents.destructions.isEmpty)
        }
    }

    @Test("a key that is not there leaves a tombstone, by which it is known and destroyed when it appears late")
    func absentKeyLeavesTombstone() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: true)
            await agent.settle()
            await agent.stop()
            let keyID = try await agent.recordIntent()
            try await agent.restart()
            await agent.settle()
            #expect(try await agent.store.contents().intents.map(\.isTombstone) == [true])

            await agent.stop()
            try agent.generateKey(keyID)
            try await agent.start()
            await agent.settle()
            #expect(try !agent.privateKeysOnToken().contains(keyID.description))
            #expect(try agent.privateKeysOnToken().count == 2)
        }
    }

    @Test("a destruction that was cut off is finished at the next start", arguments: [true, false])
    func pendingDestruction(isKeyStillThere: Bool) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            await agent.stop()
            let keyID = try await agent.recordIntent()
            if isKeyStillThere { try agent.generateKey(keyID) }
            try await agent.store.abandon(keyID, at: Timestamp(seconds: agent.clock.now))
            #expect(try await agent.store.contents().destructions.count == 1)
            try await agent.start()
            await agent.settle()
            #expect(try await agent.store.contents().destructions.isEmpty)
            #expect(try agent.privateKeysOnToken().count == 1)
        }
    }

    /// Has the key that signs be revoked, by an agent whose process ends before the take-over is committed.
    ///
    /// - Returns: its kid.
    private func beginRevocation(_ agent: AgentFixture, _ client: AgentConnection) async throws -> String {
        let kid = try await client.sign().kid
        agent.failures.fail { call in
            if case .commit(let change) = call { change.issuer?.ring[kid]?.state == .revoked } else { false }
        }
        #expect(try await refusal { _ = try await client.revoke(kid) }.reason == .storeUnavailable)
        return kid
    }

    @Test(
        "a revocation that was cut off once its fresh key was published is carried on, at the next start or when the store works again",
        arguments: [true, false])
    func begunRevocation(isRestarted: Bool) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let kid = try await beginRevocation(agent, client)
            let begun = try #require(try await agent.store.contents().issuers.first)
            #expect(begun.revoking?.kids == [kid] && begun.ring[kid]?.state == .active)
            #expect(try await client.sign().kid == kid)

            agent.failures.fail { _ in false }
            if isRestarted {
                try await agent.restart()
            } else {
                // Until the next try.
                await agent.pass(60)
            }
            await agent.settle()
            try await agent.connected { again in
                let signing = try await again.sign().kid
                #expect(signing == begun.revoking?.successor)
                #expect(try await again.keys("demo").first { $0.kid == kid }?.state == "revoked")
                #expect(try await again.key("standby") != nil)
            }
            let ended = try #require(try await agent.store.contents().issuers.first)
            #expect(ended.revoking == nil)
            #expect(try agent.privateKeysOnToken() == Set(ended.ring.published.map(\.keyID.description)))
            await agent.stop()
            let records = try String(contentsOfFile: agent.configuration.withLock { $0.audit.path }, encoding: .utf8)
            #expect(records.contains("is carried on") && records.contains("key \(kid) of issuer demo was revoked"))
        }
    }

    @Test("an order to revoke that is given again goes on with the key that was published for the first")
    func begunRevocationAgain() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let kid = try await beginRevocation(agent, client)
            let successor = try await agent.store.contents().issuers.first?.revoking?.successor
            agent.failures.fail { _ in false }
            let revoked = try await client.revoke(kid)
            #expect(revoked.activeKid == successor && revoked.plan.revoked == [kid] && revoked.plan.incoming?.source == "standby")
        }
    }

    @Test("a key nobody has recorded is left alone, whatever its label")
    func unknownKeyIsKept() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            await agent.stop()
            let keyID = try #require(KeyID(SystemRandom.bytes(KeyID.length)))
            try agent.generateKey(keyID)
            try await agent.start()
            await agent.settle()
            #expect(try agent.privateKeysOnToken().contains(keyID.description))
        }
    }

    @Test("on another token of the same label nothing is made or destroyed, health says so, and the right token goes on")
    func wrongToken() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            let kid = try await client.sign().kid
            await agent.stop()
            let right = agent.configuration.withLock { $0 }
            let keyID = try await agent.recordIntent()
            try await agent.store.abandon(keyID, at: Timestamp(seconds: agent.clock.now))

            try await AgentFixture.stopped { other in
                try other.generateKey(keyID, label: "privyseal/\(agent.deployment)/demo")
                let path = other.token.modulePath
                let pin = other.configuration.withLock { $0.pin }
                agent.configuration.withLock { configuration in
                    configuration.hsm.modulePath = path
                    configuration.pin = pin
                }
                try await agent.start()
                await agent.settle()
                try await agent.connected { again in
                    let health = try await again.health()
                    #expect(health.status != "ok")
                    #expect(health.problems.contains { $0.component == "hsm" && $0.message.contains("none of the keys") })
                    #expect(try await refusal { _ = try await again.sign() }.reason == .hsmUnavailable)
                    #expect(try await refusal { try await again.rotate() }.reason == .hsmUnavailable)
                    #expect(try await refusal { try await again.create("new") }.reason == .hsmUnavailable)
                    // Time alone must not make it forget a key either.
                    await agent.pass(86_400)
                    #expect(try kids(of: try await again.discovery().jwks).contains(kid))
                }
                #expect(try other.privateKeysOnToken() == [keyID.description])
                #expect(try await agent.store.contents().destructions.isEmpty == false)
                await agent.stop()
            }

            agent.configuration.withLock { $0 = right }
            try await agent.start()
            await agent.settle()
            #expect(try await agent.store.contents().destructions.isEmpty)
            try await agent.connected { again in
                let signed = try await again.sign().kid
                #expect(signed == kid)
                let health = try await again.health()
                #expect(health.status == "ok")
            }
        }
    }
}

extension AgentFixture {
    /// Records, as an agent does before it generates, a key pair for `demo`.
    func recordIntent() async throws -> KeyID {
        let keyID = try #require(KeyID(SystemRandom.bytes(KeyID.length)))
        let issuer = try #require(IssuerName("demo"))
        try await store.record(
            GenerationIntent(
                keyID: keyID, issuer: issuer, algorithm: .es256, recordedAt: Timestamp(seconds: clock.now)))
        return keyID
    }

    /// Generates a key pair on the token, while no agent runs.
    func generateKey(_ keyID: KeyID, label: String? = nil) throws {
        let label = label ?? "privyseal/\(deployment)/demo"
        try onIdleToken { session in _ = try session.generateKeyPair(.ec(.p256), id: keyID.bytes, label: label) }
    }
}
