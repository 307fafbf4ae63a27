import AgentClient
import AgentProtocol
import Foundation
import RelyingParty
import Testing

@Suite("Signature algorithms, on a token")
struct AlgorithmTests {
    /// An algorithm with the length of its keys, and what a public key of it looks like.
    struct Kind: Sendable, CustomTestStringConvertible {
        let algorithm: String
        var rsaBits: Int?
        let kty: String
        var crv: String?
        /// Bytes of a signature.
        let signatureLength: Int

        var testDescription: String { rsaBits.map { "\(algorithm) with \($0) bits" } ?? algorithm }

        static func rsa(_ algorithm: String, _ bits: Int) -> Kind {
            Kind(algorithm: algorithm, rsaBits: bits, kty: "RSA", signatureLength: bits / 8)
        }
    }

    static let kinds: [Kind] = [
        .rsa("RS256", 2048), .rsa("RS256", 3072), .rsa("RS256", 4096),
        .rsa("PS256", 2048), .rsa("PS256", 3072), .rsa("PS256", 4096),
        Kind(algorithm: "ES256", kty: "EC", crv: "P-256", signatureLength: 64),
        Kind(algorithm: "ES384", kty: "EC", crv: "P-384", signatureLength: 96),
        Kind(algorithm: "ES512", kty: "EC", crv: "P-521", signatureLength: 132),
        Kind(algorithm: "EdDSA", kty: "OKP", crv: "Ed25519", signatureLength: 64),
    ]

    @Test("each algorithm signs what a relying party verifies, and says what it is", arguments: kinds)
    func signs(kind: Kind) async throws {
        try await AgentFixture.with { agent, client in
            let status = try await client.create(algorithm: kind.algorithm, rsaBits: kind.rsaBits, standby: false)
            #expect(status.algorithm == kind.algorithm)
            #expect(status.activeAlgorithm == kind.algorithm)
            #expect(status.rsaBits == kind.rsaBits)
            let key = try #require(try await client.key("active"))
            #expect(key.algorithm == kind.algorithm)
            #expect(key.publicJWK["kty"]?.string == kind.kty)
            #expect(key.publicJWK["crv"]?.string == kind.crv)
            // Often enough that a half with a leading zero is among them now and then.
            for _ in 1...8 {
                let result = try await client.sign()
                #expect(result.alg == kind.algorithm)
                #expect(try base64URL(result.signature).count == kind.signatureLength)
                let verified = try await client.verify(result.jwt, now: agent.clock.now)
                #expect(verified.header.alg == kind.algorithm)
            }
        }
    }

    @Test("an RSA key has the length that was asked for, 2048 bits where none was", arguments: [nil, 2048, 3072, 4096])
    func lengths(rsaBits: Int?) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(algorithm: "RS256", rsaBits: rsaBits)
            await agent.settle()
            for key in try await client.keys() {
                let modulus = try base64URL(key.publicJWK["n"]?.string ?? "")
                #expect(modulus.count * 8 == rsaBits ?? 2048)
                #expect(modulus[0] >= 0x80)
            }
        }
    }

    @Test(
        "a new algorithm replaces the standby at once, signs from the next rotation on, and verifies beside the old one",
        arguments: [
            (kinds[0], kinds[6]), (kinds[6], kinds[0]), (kinds[0], kinds[3]), (kinds[0], kinds[2]), (kinds[2], kinds[0]),
            (kinds[0], kinds[9]), (kinds[9], kinds[7]), (kinds[7], kinds[8]), (kinds[8], kinds[4]),
        ])
    func changes(old: Kind, new: Kind) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(algorithm: old.algorithm, rsaBits: old.rsaBits)
            await agent.settle()
            let standby = try #require(try await client.key("standby")).kid

            let update = try await client.call(
                IssuerUpdateParameters(issuer: "demo", settings: .init(algorithm: new.algorithm, rsaBits: new.rsaBits)))
            #expect(update.issuer.algorithm == new.algorithm)
            #expect(update.issuer.activeAlgorithm == old.algorithm)
            #expect(update.warnings.first == "\(new.testDescription) signs from the next rotation on")
            let order = update.warnings.dropFirst().filter { $0.contains("refuse \(new.algorithm) until they are restarted") }
            #expect(order.count == (old.algorithm == new.algorithm ? 0 : 1))
            #expect(update.warnings.count == 1 + order.count)
            let replacement = try #require(try await client.key("standby"))
            #expect(replacement.kid != standby)
            #expect(replacement.algorithm == new.algorithm)
            #expect(try await client.keys().first { $0.kid == standby }?.state == "revoked")
            #expect(try await client.call(GetDiscoveryParameters(issuer: "demo")).algorithms == [old, new].sortedNames)

            let before = try await client.sign()
            #expect(before.alg == old.algorithm)
            let rotation = try await client.rotate()
            #expect(rotation.activeKid == replacement.kid)
            let after = try await client.sign()
            #expect(after.alg == new.algorithm)
            await agent.settle()
            #expect(try await client.discovery().algorithms == [old, new].sortedNames)
            for jwt in [before.jwt, after.jwt] { _ = try await client.verify(jwt, now: agent.clock.now) }

            await agent.pass(86_400)
            #expect(try await client.discovery().algorithms == [new].sortedNames)
            await #expect(throws: VerificationError.self) { try await client.verify(before.jwt, now: agent.clock.now - 1) }
        }
    }

    @Test("an update to what is there already changes nothing, a length of RSA keys included")
    func sameAgain() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(algorithm: "PS256", rsaBits: 3072)
            await agent.settle()
            let before = try await client.status()
            let keys = try await client.keys()
            let update = try await client.call(
                IssuerUpdateParameters(issuer: "demo", settings: .init(algorithm: "PS256", rsaBits: 3072)))
            #expect(update.issuer.generation == before.generation)
            #expect(update.warnings == [])
            #expect(try await client.keys() == keys)
        }
    }

    @Test("a length of RSA keys outlives the time in which the issuer has another algorithm")
    func lengthStays() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(algorithm: "RS256", rsaBits: 3072, standby: false)
            let other = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(algorithm: "ES256"))).issuer
            #expect(other.rsaBits == nil)
            let back = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(algorithm: "PS256"))).issuer
            #expect(back.rsaBits == 3072)
        }
    }

    @Test(
        "a length that is none of the three, or goes with no RSA algorithm, is refused and makes nothing",
        arguments: [("RS256", 1024), ("RS256", 2047), ("PS256", 8192), ("RS256", -1), ("ES256", 2048), ("EdDSA", 4096)])
    func badLength(algorithm: String, bits: Int) async throws {
        try await AgentFixture.with { agent, client in
            let creation = try await refusal { try await client.create(algorithm: algorithm, rsaBits: bits) }
            #expect(creation.reason == .policyInvalid)
            #expect(try agent.privateKeysOnToken().isEmpty)
            try await client.create(algorithm: algorithm, standby: false)
            let update = try await refusal {
                _ = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(rsaBits: bits)))
            }
            #expect(update.reason == .policyInvalid)
        }
    }

    @Test("an algorithm that is no algorithm here is refused, naming those that are", arguments: ["HS256", "none", "rs256", ""])
    func unknown(algorithm: String) async throws {
        try await AgentFixture.with { agent, client in
            let error = try await refusal { try await client.create(algorithm: algorithm) }
            #expect(error.reason == .unsupportedAlgorithm)
            #expect(error.hint == "choose one of RS256, PS256, ES256, ES384, ES512, EdDSA")
        }
    }
}

extension DiscoveryResult {
    /// `id_token_signing_alg_values_supported` of the current document.
    fileprivate var algorithms: [String]? {
        guard let body = urls.first?.versions.first?.discovery.body else { return nil }
        let document = try? JSONValue(parsing: Array(body.utf8))
        return document?["id_token_signing_alg_values_supported"]?.elements?.compactMap(\.string)
    }
}

extension [AlgorithmTests.Kind] {
    fileprivate var sortedNames: [String] { Set(map(\.algorithm)).sorted() }
}

/// The bytes that base64url text stands for.
private func base64URL(_ text: String) throws -> [UInt8] {
    let padded =
        text.replacing("-", with: "+").replacing("_", with: "/") + String(repeating: "=", count: (4 - text.count % 4) % 4)
    return Array(try #require(Data(base64Encoded: padded)))
}
