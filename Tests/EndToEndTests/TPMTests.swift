import AgentClient
import AgentProtocol
import Foundation
import RelyingParty
import Testing

@Suite("A TPM, as a token of another make", .serialized)
struct TPMTests {
    @Test("what its keys may do besides signing is refused, by name, until the configuration accepts it")
    func custody() async throws {
        try await SoftwareTPM.with { tpm in
            try tpm.writeConfiguration()
            let strict = try await tpm.startAgent()
            try await tpm.connected { client in
                let error = await refusal { try await client.makeIssuer("demo", "ES256") }
                #expect(error?.reason == .hsmUnavailable)
                #expect(error?.message.contains("CKA_DECRYPT is true") == true, "\(error?.message ?? "")")
                #expect(error?.message.contains("C_GenerateKeyPair: CKR_GENERAL_ERROR") == true)
                let list = try await client.call(IssuerListParameters())
                #expect(list.issuers.isEmpty)
            }
            #expect(await strict.end() == 0)
            #expect(try await tpm.keyObjects() == 0)

            try tpm.writeConfiguration(custody: "acceptUsages: [CKA_DECRYPT]")
            let check = try await tpm.privyseald("check", "--start", "--config", tpm.configuration)
            #expect(check.status == 0)
            #expect(check.output.contains("custody rules are relaxed by the configuration: allowing CKA_DECRYPT"))
            let relaxed = try await tpm.startAgent()
            #expect(relaxed.text.contains("the custody rules are relaxed by the configuration"))
            try await tpm.connected { client in
                try await client.makeIssuer("demo", "ES256")
                let key = try #require(try await client.call(ListKeysParameters(issuer: "demo")).keys.first)
                let wanted = CustodyView(
                    keyID: key.custody?.keyID ?? "", sensitive: true, extractable: false, alwaysSensitive: true,
                    neverExtractable: true, local: true, sign: true, decrypt: true, unwrap: false, derive: false,
                    signRecover: false)
                #expect(key.custody == wanted)
            }
            #expect(await relaxed.end() == 0)
        }
    }

    @Test("keys are made, sign, rotate, outlive restarts and kills, are revoked and destroyed")
    func life() async throws {
        try await SoftwareTPM.with { tpm in
            try tpm.writeConfiguration(custody: "acceptUsages: [CKA_DECRYPT]")
            var agent = try await tpm.startAgent()
            let algorithms = ["ES256", "RS256", "PS256"]
            var jwts: [(issuer: String, jwt: String)] = []
            func verifyAll() async throws {
                for (issuer, jwt) in jwts { try await tpm.connected { try await $0.verify(jwt, of: issuer) } }
            }
            try await tpm.connected { client in
                for algorithm in algorithms {
                    let issuer = algorithm.lowercased()
                    try await client.makeIssuer(issuer, algorithm)
                    // Sessions that sign side by side must not be one and the same.
                    let signed = try await withThrowingTaskGroup(of: SignResult.self) { group in
                        for _ in 1...12 { group.addTask { try await client.issue(issuer) } }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    #expect(signed.count == 12)
                    #expect(signed.allSatisfy { $0.alg == algorithm })
                    jwts += signed.map { (issuer, $0.jwt) }
                    #expect(await poll("the standby key") { try await client.states(issuer)["standby"] == 1 })
                }
            }
            try await verifyAll()

            try await tpm.connected { client in
                for algorithm in algorithms {
                    let issuer = algorithm.lowercased()
                    let standby = try #require(try await client.kid("standby", of: issuer))
                    _ = try await client.call(RotateParameters(issuer: issuer))
                    let signed = try await client.issue(issuer)
                    #expect(signed.kid == standby)
                    jwts.append((issuer, signed.jwt))
                    #expect(await poll("the next standby key") { try await client.states(issuer)["standby"] == 1 })
                }
            }
            try await verifyAll()

            #expect(await agent.end() == 0)
            agent = try await tpm.startAgent()
            try await verifyAll()
            await agent.end(SIGKILL)
            agent = try await tpm.startAgent()
            try await tpm.connected { client in
                for algorithm in algorithms {
                    jwts.append((algorithm.lowercased(), try await client.issue(algorithm.lowercased()).jwt))
                }
            }
            try await verifyAll()

            try await tpm.connected { client in
                let active = try #require(try await client.kid("active", of: "es256"))
                let revocation = try await client.call(RevokeKeyParameters(kid: active))
                #expect(revocation.activeKid != active)
                #expect(try await client.issue("es256").kid == revocation.activeKid)
                #expect(await poll("the next standby key") { try await client.states("es256")["standby"] == 1 })
                // Active, retiring and standby of each issuer; everything else has gone from the token.
                #expect(await poll("order") { try await client.call(HealthParameters()).problems.isEmpty })
            }
            #expect(await agent.end() == 0)
            #expect(try await tpm.keyObjects() == 3 * 3 * 2 + SoftwareTPM.auditKeyObjects)

            agent = try await tpm.startAgent()
            try await tpm.connected { client in
                for algorithm in algorithms { _ = try await client.call(IssuerDeleteParameters(issuer: algorithm.lowercased())) }
                #expect(await poll("order") { try await client.call(HealthParameters()).problems.isEmpty })
            }
            #expect(await agent.end() == 0)
            #expect(try await tpm.keyObjects() == SoftwareTPM.auditKeyObjects)
        }
    }

    @Test("its resource manager's room, which only a new initialisation gives back, ends no rotation, and no signature fails")
    func room() async throws {
        try await SoftwareTPM.with { tpm in
            try tpm.writeConfiguration(custody: "acceptUsages: [CKA_DECRYPT]")
            let agent = try await tpm.startAgent()
            try await tpm.connected { client in
                // On a busy machine it now and then does not report what it has just made a key with; such a key is refused.
                func again(_ change: () async throws -> Void) async throws {
                    do {
                        try await change()
                    } catch let error as ProtocolError where error.message.contains("is not reported") {
                        try await change()
                    }
                }
                try await again { try await client.makeIssuer("demo", "ES256") }
                // Two keys each from the second on: three times the room for 27 objects, at two for each key.
                for _ in 1...20 {
                    try await again { _ = try await client.call(RotateParameters(issuer: "demo")) }
                    _ = try await client.issue("demo")
                }
                #expect(agent.text.contains("initialised the PKCS#11 module anew to get back"), "\(agent.text)")
                #expect(await poll("order") { try await client.call(HealthParameters()).problems.isEmpty })
            }
            #expect(await agent.end() == 0)
            #expect(try await tpm.keyObjects() == 3 * 2 + SoftwareTPM.auditKeyObjects)
        }
    }

    @Test("it signs again once it and its resource manager do, after they were killed")
    func loss() async throws {
        try await SoftwareTPM.with { tpm in
            try tpm.writeConfiguration(custody: "acceptUsages: [CKA_DECRYPT]")
            let agent = try await tpm.startAgent()
            try await tpm.connected { client in
                try await client.makeIssuer("demo", "ES256")
                for _ in 1...2 {
                    await tpm.loseServices()
                    let isAway = await poll("the agent's notice") {
                        _ = await refusal { _ = try await client.issue("demo") }
                        return try await client.call(HealthParameters()).status == "unavailable"
                    }
                    try #require(isAway, "\(agent.text)")
                    try await Task.sleep(for: .seconds(3))
                    let problems = try await client.call(HealthParameters()).problems.map(\.message)
                    #expect(problems.contains { $0.contains("C_Initialize: CKR_GENERAL_ERROR") }, "\(problems)")
                    #expect(problems.allSatisfy { !$0.contains("CKR_CRYPTOKI_NOT_INITIALIZED") }, "\(problems)")
                    try await tpm.bringBackServices()
                    #expect(await poll("a signature") { !(try await client.issue("demo").jwt.isEmpty) }, "\(agent.text)")
                }
            }
            #expect(await agent.end() == 0)
        }
    }

    @Test("ES512, for which it makes keys and does not sign with them, is refused, and nothing is left of them")
    func silentKeys() async throws {
        try await SoftwareTPM.with { tpm in
            // Such a key cannot be destroyed before the module is initialised anew, and when it is depends on who is quicker.
            try tpm.writeConfiguration(custody: "acceptUsages: [CKA_DECRYPT]", recoveryInterval: "5s")
            let agent = try await tpm.startAgent()
            try await tpm.connected { client in
                for _ in 1...5 {
                    // Its resource manager may be too busy to log in to when the module is initialised anew.
                    var error: ProtocolError?
                    #expect(
                        await poll("the refusal of the key") {
                            error = await refusal { try await client.makeIssuer("demo", "ES512") }
                            return error?.message.contains("does not sign with it") == true
                        }, "\(error?.message ?? "") \(agent.text)")
                    #expect(error?.reason == .hsmUnavailable)
                }
                #expect(
                    await poll("an issuer") {
                        try await client.makeIssuer("demo", "ES256")
                        return true
                    })
                _ = try await client.issue("demo")
                // It takes such a key to be in use until its module is initialised anew.
                var problems: [HealthProblem] = []
                #expect(
                    await poll("order") {
                        problems = try await client.call(HealthParameters()).problems
                        return problems.isEmpty
                    }, "\(problems) \(agent.text)")
                #expect(await poll("the standby key") { try await client.states("demo")["standby"] == 1 })
            }
            #expect(await agent.end() == 0)
            #expect(try await tpm.keyObjects() == 2 * 2 + SoftwareTPM.auditKeyObjects)
        }
    }

    @Test(
        "what the TPM lacks is refused by the mechanism's name, and nothing is made",
        arguments: [
            ("EdDSA", nil, "CKM_EC_EDWARDS_KEY_PAIR_GEN"), ("RS256", 4096, "CKM_RSA_PKCS_KEY_PAIR_GEN"),
            ("PS256", 4096, "CKM_RSA_PKCS_KEY_PAIR_GEN"),
        ])
    func mechanisms(algorithm: String, rsaBits: Int?, mechanism: String) async throws {
        try await SoftwareTPM.with { tpm in
            try tpm.writeConfiguration(custody: "acceptUsages: [CKA_DECRYPT]")
            let agent = try await tpm.startAgent()
            try await tpm.connected { client in
                let error = await refusal {
                    _ = try await client.call(
                        IssuerCreateParameters(issuer: "demo", settings: .init(algorithm: algorithm, rsaBits: rsaBits)))
                }
                #expect(error?.reason == .unsupportedAlgorithm)
                #expect(error?.message.contains(mechanism) == true, "\(error?.message ?? "")")
            }
            #expect(await agent.end() == 0)
            #expect(try await tpm.keyObjects() == SoftwareTPM.auditKeyObjects)
        }
    }
}

/// What a call is refused with; nil when it is not.
private func refusal(_ call: () async throws -> Void) async -> ProtocolError? {
    do {
        try await call()
        return nil
    } catch {
        return error as? ProtocolError
    }
}

extension AgentConnection {
    fileprivate func makeIssuer(_ issuer: String, _ algorithm: String) async throws {
        _ = try await call(IssuerCreateParameters(issuer: issuer, enableOIDCIssuer: true, settings: .init(algorithm: algorithm)))
    }

    fileprivate func issue(_ issuer: String) async throws -> SignResult {
        try await call(SignParameters(issuer: issuer, claims: ["sub": "me", "aud": "api"]))
    }

    fileprivate func states(_ issuer: String) async throws -> [String: Int] {
        let keys = try await call(ListKeysParameters(issuer: issuer)).keys
        return Dictionary(grouping: keys, by: \.state).mapValues(\.count)
    }

    fileprivate func kid(_ state: String, of issuer: String) async throws -> String? {
        try await call(ListKeysParameters(issuer: issuer)).keys.first { $0.state == state }?.kid
    }

    /// Verifies a JWT by the keys that are published now.
    fileprivate func verify(_ jwt: String, of issuer: String) async throws {
        let jwks = try await call(GetDiscoveryParameters(issuer: issuer)).jwks.body
        _ = try await JWTVerifier(keySet: Array(jwks.utf8)).verify(jwt, now: Date().timeIntervalSince1970)
    }
}
