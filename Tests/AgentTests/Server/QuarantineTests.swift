import Agent
import AgentClient
import AgentProtocol
import IssuerStore
import KeyLifecycle
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@Suite("A restored store")
struct QuarantineTests {
    /// Everything that must be refused while an issuer is in quarantine.
    private func refusesEverything(_ client: AgentConnection, issuer: String = "demo", kid: String) async throws {
        let calls: [(String, () async throws -> Void)] = [
            ("sign", { _ = try await client.sign(issuer) }), ("get-discovery", { _ = try await client.discovery(issuer) }),
            ("rotate", { try await client.rotate(issuer) }), ("dry run", { try await client.rotate(issuer, dryRun: true) }),
            ("revoke-key", { _ = try await client.revoke(kid) }),
            (
                "issuer-update",
                { _ = try await client.call(IssuerUpdateParameters(issuer: issuer, settings: .init(lifetimeSeconds: 700))) }
            ),
            ("issuer-delete", { _ = try await client.call(IssuerDeleteParameters(issuer: issuer)) }),
        ]
        for (name, call) in calls {
            let error = try await refusal(call)
            #expect(error.reason == .issuerQuarantined, "\(name)")
            #expect(!error.retryable, "\(name)")
            #expect(error.hint?.contains("privyseald recover --restored") == true, "\(name)")
        }
    }

    @Test("that is a copy does nothing until somebody has looked, and where nothing differs goes on as it was")
    func markedCopy() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            let kid = try await client.sign().kid
            let retiring = try await client.kids(in: "retiring")
            let onToken = try agent.privateKeysOnToken()
            try await agent.restart(on: agent.copyStore(isMarked: true))

            try await agent.connected { client in
                try await refusesEverything(client, kid: kid)
                #expect(try await refusal { try await client.create("new") }.reason == .issuerQuarantined)
                #expect(try await client.status().quarantine?.contains("copy made at") == true)
                #expect(try await client.keys().contains { $0.kid == kid }, "what is known can be looked at")
                let health = try await client.health()
                #expect(health.status == "degraded")
                #expect(health.problems.contains { $0.message.contains("demo") && $0.message.contains("quarantine") })
                // Time does nothing, and neither does a reconciliation.
                await agent.pass(90_000)
                _ = try await client.reconcile(dryRun: false)
                #expect(try await client.kids(in: "retiring") == retiring)
                #expect(try agent.privateKeysOnToken() == onToken)
            }

            try await agent.offline { offline in
                let plan = try await offline.planRecovery(RecoveryRequest())
                #expect(plan.isEmpty)
                #expect(try await offline.recover(plan).isEmpty)
            }
            try await agent.start()
            await agent.settle()
            try await agent.connected { client in
                let signed = try await client.sign().kid
                #expect(signed == kid)
                #expect(try await client.health().status == "ok")
                await agent.pass(1)
                #expect(try await client.kids(in: "retiring").isEmpty, "its time had come")
            }
        }
    }

    @Test("that is older than the token quarantines what differs, and an operator brings one key of each issuer back")
    func olderStore() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            try await client.create("other")
            await agent.settle()
            let former = try #require(try await client.kids(in: "active").first)
            let old = try await agent.copyStore(isMarked: false)
            try await client.rotate()
            await agent.settle()
            let jwt = try await client.sign()
            let late = try #require(try await client.kids(in: "standby").first)
            let onToken = try agent.privateKeysOnToken()
            try await agent.restart(on: old)

            try await agent.connected { client in
                try await refusesEverything(client, kid: former)
                _ = try await client.sign("other")
                let report = try await client.reconcile(dryRun: true)
                #expect(report.findings.map(\.finding) == ["unknown"])
                #expect(report.findings.first?.kid == late)
                #expect(report.quarantinedIssuers.map(\.issuer) == ["demo"])
                #expect(report.lines.contains { $0.contains(late) && $0.hasPrefix("unknown") })
                #expect(try agent.privateKeysOnToken() == onToken)
            }

            let renewed = try await agent.offline { offline in
                let plan = try await offline.planRecovery(RecoveryRequest(retained: [jwt.kid]))
                #expect(plan.lines.contains { $0.contains(jwt.kid) && $0.contains("comes back") })
                return try await offline.recover(plan)
            }
            #expect(renewed.map(\.name.text) == ["demo"])
            try await agent.start()
            await agent.settle()
            try await agent.connected { client in
                #expect(try await client.sign().kid == renewed.first?.activeKid)
                _ = try await client.verify(jwt.jwt, now: agent.clock.now)
                let published = try kids(of: try await client.discovery().jwks)
                #expect(Set(published).isDisjoint(with: [former, late]))
                #expect(onToken.isSubset(of: try agent.privateKeysOnToken()), "nothing is destroyed by itself")
                #expect(try await client.health().status == "ok")
                let report = try await client.reconcile(dryRun: false)
                #expect(Set(report.findings.map(\.kid)) == [former, late])
                #expect(report.findings.allSatisfy { $0.finding == "quarantined" })

                // What is in quarantine goes when an operator says so, and changes nothing else.
                let generation = try await client.status().generation
                #expect(try await client.revoke(late, dryRun: true).plan.revoked == [late])
                for kid in [former, late] {
                    let result = try await client.revoke(kid)
                    #expect(result.plan.revoked == [kid] && result.generation == generation)
                }
                await agent.settle()
                #expect(try agent.privateKeysOnToken() == (try await client.liveKeyIDs()))
                #expect(try await refusal { _ = try await client.revoke(late) }.reason == .keyNotFound)
                #expect(try await client.reconcile(dryRun: true).findings.isEmpty)
            }
        }
    }

    @Test("a recovery that cannot be committed leaves the store as it was, and its fresh keys to be destroyed")
    func recoveryFails() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let old = try await agent.copyStore(isMarked: true)
            try await client.rotate()
            await agent.settle()
            try await agent.restart(on: old)
            let before = try await agent.store.contents()
            let onToken = try agent.privateKeysOnToken()
            agent.failures.fail { call in if case .settle = call { true } else { false } }
            await #expect(throws: StoreError.self) {
                try await agent.offline { offline in
                    _ = try await offline.recover(offline.planRecovery(RecoveryRequest()))
                }
            }
            let after = try await agent.store.contents()
            #expect(after.issuers == before.issuers && after.copiedAt == before.copiedAt)
            #expect(after.destructions.count == 1 && after.quarantined.isEmpty && after.intents.isEmpty)

            agent.failures.fail { _ in false }
            let renewed = try await agent.offline { offline in
                try await offline.recover(offline.planRecovery(RecoveryRequest()))
            }
            try await agent.start()
            await agent.settle()
            try await agent.connected { client in
                let signed = try await client.sign().kid
                #expect(signed == renewed.first?.activeKid)
                // Beside the ring there is what is in quarantine, and nothing of the first try.
                let expected = onToken.union(try await client.liveKeyIDs())
                #expect(try agent.privateKeysOnToken() == expected)
            }
        }
    }

    @Test("a key that a running agent does not know of is told, and does not stop it; the next start does")
    func unknownKeyWhileRunning() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            await agent.settle()
            let keyID = SystemRandom.bytes(KeyID.length)
            try agent.onToken { session in
                _ = try session.generateKeyPair(
                    .ec(.p256), id: keyID, label: "privyseal/\(agent.deployment)/demo")
            }
            let report = try await client.reconcile(dryRun: false)
            #expect(report.findings.map(\.finding) == ["unknown"])
            _ = try await client.sign()
            let health = try await client.health()
            #expect(health.status == "degraded")
            #expect(health.problems.contains { $0.message.contains("demo would be in quarantine after a restart") })
            try await agent.restart()
            try await agent.connected { client in
                let error = try await refusal { _ = try await client.sign() }
                #expect(error.reason == .issuerQuarantined)
                #expect(try agent.privateKeysOnToken().count == 2)
            }
        }
    }

    @Test("keys of an issuer that the store does not have keep its name from being used until they are decided about")
    func unknownIssuer() async throws {
        try await AgentFixture.with { agent, client in
            let empty = try await agent.copyStore(isMarked: false)
            try await client.create(enabled: true)
            await agent.settle()
            let kid = try await client.sign().kid
            let url = try await client.status().issuer
            let jwt = try await client.sign().jwt
            try await agent.restart(on: empty)
            try await agent.connected { client in
                #expect(try await refusal { try await client.create() }.reason == .issuerQuarantined)
                try await client.create("new")
            }
            try await agent.offline { offline in
                let name = try #require(IssuerName("demo"))
                let plan = try await offline.planRecovery(RecoveryRequest(retained: [kid], urls: [name: url]))
                _ = try await offline.recover(plan)
            }
            try await agent.start()
            try await agent.connected { client in
                _ = try await client.verify(jwt, iss: url, now: agent.clock.now)
                #expect(try await client.status().issuer == url)
                #expect(try await client.sign().kid != kid)
            }
        }
    }

    @Test("until the token has been looked at nothing is signed, and it is looked at without a restart")
    func unchecked() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            await agent.stop()
            let calls = Locked(0)
            agent.failures.fail { call in
                guard case .contents = call else { return false }
                // The first is the one that reads the store.
                return calls.withLock { calls in
                    calls += 1
                    return calls > 1
                }
            }
            try await agent.start()
            await agent.settle()
            try await agent.connected { client in
                #expect(try await refusal { _ = try await client.sign() }.reason == .hsmUnavailable)
                #expect(try await client.health().problems.contains { $0.message.contains("not been looked at") })
                agent.failures.fail { _ in false }
                await agent.pass(1)
                _ = try await client.sign()
                #expect(try await client.health().status == "ok")
            }
        }
    }
}
