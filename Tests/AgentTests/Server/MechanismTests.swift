import AgentClient
import AgentProtocol
import FaultyTokenSupport
import IssuerStore
import Testing

@Suite("Mechanisms a token lacks")
struct MechanismTests {
    /// An algorithm, the mechanism that generates its keys and the one that signs.
    static let algorithms = [
        ("RS256", "CKM_RSA_PKCS_KEY_PAIR_GEN", "CKM_RSA_PKCS"), ("PS256", "CKM_RSA_PKCS_KEY_PAIR_GEN", "CKM_RSA_PKCS_PSS"),
        ("ES256", "CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA"), ("ES384", "CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA"),
        ("ES512", "CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA"), ("EdDSA", "CKM_EC_EDWARDS_KEY_PAIR_GEN", "CKM_EDDSA"),
    ]
    static let pairs = algorithms.flatMap { [($0.0, $0.1), ($0.0, $0.2)] }

    @Test("an issuer that needs one is refused, naming it, before anything is recorded or made", arguments: pairs)
    func creation(algorithm: String, mechanism: String) async throws {
        try await AgentFixture.with("* hide-mechanism=\(mechanism)") { agent, token, client in
            let error = try await refusal { try await client.create(algorithm: algorithm) }
            #expect(error.reason == .unsupportedAlgorithm)
            #expect(error.message == "the token lacks \(mechanism), which \(name(algorithm)) needs")
            #expect(!error.retryable)
            #expect(try await agent.store.contents().intents.isEmpty)
            #expect(try token.count("C_GenerateKeyPair") == 0)
            #expect(try await client.call(IssuerListParameters()).issuers.isEmpty)
        }
    }

    @Test(
        "an update to an algorithm that needs one changes nothing, with a standby key or without",
        arguments: [("RS256", "CKM_RSA_PKCS"), ("PS256", "CKM_RSA_PKCS_PSS"), ("EdDSA", "CKM_EDDSA")], [true, false])
    func update(change: (algorithm: String, mechanism: String), standby: Bool) async throws {
        try await AgentFixture.with("* hide-mechanism=\(change.mechanism)") { agent, token, client in
            try await client.create(standby: standby)
            await agent.settle()
            let before = try await client.status()
            let keys = try await client.keys()
            let update = IssuerUpdateParameters(issuer: "demo", settings: .init(algorithm: change.algorithm))
            let error = try await refusal { _ = try await client.call(update) }
            #expect(error.reason == .unsupportedAlgorithm)
            #expect(error.message.contains(change.mechanism))
            #expect(try await client.status().generation == before.generation)
            #expect(try await client.keys() == keys)
            try token.clear()
            #expect(try await client.call(update).issuer.algorithm == change.algorithm)
        }
    }

    @Test("a token without CKM_RSA_PKCS_PSS signs RS256 and everything else")
    func others() async throws {
        try await AgentFixture.with("* hide-mechanism=CKM_RSA_PKCS_PSS") { agent, _, client in
            for algorithm in ["RS256", "ES256", "ES384", "ES512", "EdDSA"] {
                let issuer = algorithm.lowercased()
                try await client.create(issuer, algorithm: algorithm, standby: false)
                let signed = try await client.sign(issuer)
                _ = try await client.verify(signed.jwt, issuer: issuer, now: agent.clock.now)
            }
        }
    }

    @Test("a revocation goes ahead with the standby key when the token has lost the mechanism that generates")
    func revocation() async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create()
            await agent.settle()
            let standby = try #require(try await client.key("standby")).kid
            let active = try await client.status().activeKid
            try token.set("* hide-mechanism=CKM_EC_KEY_PAIR_GEN")
            let result = try await client.revoke(active)
            #expect(result.activeKid == standby)
            #expect(result.warnings.contains { $0.contains("CKM_EC_KEY_PAIR_GEN") })
            #expect(try await client.sign().kid == standby)
        }
    }

    @Test("a signature with a bit changed is released by no algorithm", arguments: algorithms.map(\.0))
    func faultySignature(algorithm: String) async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create(algorithm: algorithm, standby: false)
            try token.set("C_Sign corrupt")
            let error = try await refusal { _ = try await client.sign() }
            #expect(error.reason == .hsmUnavailable)
            #expect(try token.count("C_Sign:fault") >= 1)
        }
    }

    @Test("EC points without their OCTET STRING are read", arguments: ["ES256", "ES512", "EdDSA"])
    func rawPoint(algorithm: String) async throws {
        try await AgentFixture.with("* raw-point") { agent, _, client in
            try await client.create(algorithm: algorithm, standby: false)
            let signed = try await client.sign()
            _ = try await client.verify(signed.jwt, now: agent.clock.now)
        }
    }

    private func name(_ algorithm: String) -> String {
        ["RS256", "PS256"].contains(algorithm) ? "\(algorithm) with 2048 bits" : algorithm
    }
}
