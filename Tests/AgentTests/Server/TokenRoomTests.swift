import Agent
import AgentClient
import AgentProtocol
import FaultyTokenSupport
import IssuerStore
import Platform
import Testing

@Suite("A token's room for keys")
struct TokenRoomTests {
    /// As many pairs as a resource manager with room for 27 objects lets tpm2-pkcs11 make, and one to begin with.
    private static let rule = "* pair-limit=13"

    @Test(
        "a token that gives room back only when its module is initialised anew is rotated on a hundred times, and no request fails"
    )
    func rotations() async throws {
        try await FaultyToken.with { token in
            try await AgentFixture.stopped(on: token) { agent in
                try token.set(Self.rule)
                try await agent.start()
                try await agent.connected { client in
                    try await client.create()
                    await agent.settle()
                    try await SigningClients.run(2, agent, issuers: ["demo"]) { clients in
                        for _ in 1...100 { try await client.rotate() }
                        #expect(await clients.haveSigned(3))
                        let tallies = clients.takeTallies()
                        // Keys that are rotated out twice do not verify any more.
                        #expect(tallies.values.allSatisfy { $0.failures.isEmpty && $0.signed > 0 }, "\(tallies)")
                    }
                    await agent.settle()
                    #expect(try token.count("C_Initialize") > 10)
                    #expect(try agent.keyObjectsOnToken() == 6)
                    // It has been made room for, and that is told for a while.
                    let problems = try await client.health().problems.map(\.message)
                    #expect(
                        problems.allSatisfy { $0.contains("initialised anew") || $0.contains("CKR_GENERAL_ERROR") }, "\(problems)"
                    )
                }
            }
        }
    }

    @Test("a token that stays full is initialised anew once, and the refusal says what is known of its room")
    func full() async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create(standby: false)
            let before = try token.count("C_Initialize")
            try token.set("C_GenerateKeyPair return=CKR_GENERAL_ERROR", "* free-memory=70000")
            for _ in 1...3 {
                let error = try await refusal { try await client.create("other") }
                #expect(error.message.contains("C_GenerateKeyPair: CKR_GENERAL_ERROR"), "\(error.message)")
                #expect(error.message.contains("70000 bytes left"), "\(error.message)")
                #expect(error.message.contains("0 key pairs were made"), "\(error.message)")
            }
            // Without a pair made since, another initialisation gives nothing back.
            #expect(try token.count("C_Initialize") == before + 1)
            _ = try await client.sign()
        }
    }

    @Test("a token that says that it has little room left is named by health until it has more")
    func shortage() async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create(standby: false)
            #expect(try await client.health().status == "ok")
            try token.set("* free-memory=512")
            try await client.create("other", standby: false)
            await agent.pass(60)
            let health = try await client.health()
            #expect(health.status == "degraded")
            #expect(health.problems.map(\.message).contains { $0.contains("512 bytes left") }, "\(health.problems)")
            try token.set("* free-memory=65536")
            _ = try await client.call(IssuerDeleteParameters(issuer: "other"))
            await agent.settle()
            #expect(try await client.health().status == "ok")
        }
    }

    @Test("a key that is refused again and again is not made again and again")
    func refusals() async throws {
        try await AgentFixture.with("C_GetAttributeValue attribute=CKA_LOCAL:false") { agent, token, client in
            for _ in 1...3 {
                let error = try await refusal { try await client.create() }
                #expect(error.message.contains("CKA_LOCAL is false") && !error.message.contains("times"), "\(error.message)")
            }
            let made = try token.count("C_GenerateKeyPair")
            let error = try await refusal { try await client.create() }
            #expect(error.message.contains("CKA_LOCAL is false") && error.message.contains("3 times"), "\(error.message)")
            #expect(try token.count("C_GenerateKeyPair") == made)
            // Of another kind it may be held otherwise.
            _ = try await refusal { try await client.create(algorithm: "ES384") }
            #expect(try token.count("C_GenerateKeyPair") == made + 1)
            await agent.pass(15)
            _ = try await refusal { try await client.create() }
            #expect(try token.count("C_GenerateKeyPair") == made + 2)
            #expect(try agent.keyObjectsOnToken() == 0)
            try token.clear()
            await agent.pass(600)
            try await client.create()
            await agent.settle()
            #expect(try await client.health().status == "ok")
        }
    }

    @Test(
        "of a refused key both halves are destroyed, later if it cannot be now",
        arguments: [
            "C_DestroyObject return=CKR_FUNCTION_FAILED count=1", "C_DestroyObject return=CKR_DEVICE_ERROR nth=2 count=1",
        ])
    func halves(rule: String) async throws {
        try await AgentFixture.with { agent, token, client in
            // Proves the token.
            try await client.create(standby: false)
            try token.set(rule, "C_GetAttributeValue attribute=CKA_EXTRACTABLE:true")
            _ = try await refusal { try await client.create("other") }
            try token.clear()
            for _ in 1...20 where try agent.keyObjectsOnToken() > 2 { await agent.pass(15) }
            await agent.settle()
            #expect(try agent.keyObjectsOnToken() == 2)
            #expect(try await agent.store.contents().destructions.isEmpty)
        }
    }

    @Test(
        "a refused key that the module holds on to is destroyed once it has been initialised anew, which is tried once for each")
    func heldKey() async throws {
        try await FaultyToken.with { token in
            try await AgentFixture.stopped(on: token) { agent in
                try await agent.start()
                try await agent.connected { client in
                    let before = try token.count("C_Initialize")
                    // Nothing but this key says which token it is: no issuer has been made yet.
                    try token.set("C_DestroyObject return=CKR_FUNCTION_FAILED", "C_GetAttributeValue attribute=CKA_LOCAL:false")
                    _ = try await refusal { try await client.create("other") }
                    #expect(await eventually { try token.count("C_Initialize") == before + 1 })
                    try token.set("C_DestroyObject return=CKR_FUNCTION_FAILED")
                    try await client.create(standby: false)
                    for _ in 1...4 { await agent.pass(300) }
                    #expect(try token.count("C_Initialize") == before + 1)
                    #expect(try agent.keyObjectsOnToken() == 4)
                    try token.clear()
                    await agent.pass(300)
                    #expect(try agent.keyObjectsOnToken() == 2)
                    #expect(try await agent.store.contents().destructions.isEmpty)
                    _ = try await client.sign()
                }
            }
        }
    }

    @Test(
        "a key that does not sign gets into no ring, and is destroyed",
        arguments: [
            "C_SignInit return=CKR_HOST_MEMORY", "C_Sign return=CKR_MECHANISM_INVALID", "C_Sign corrupt",
            "C_Sign return=CKR_KEY_FUNCTION_NOT_PERMITTED",
        ], ["ES512", "RS256"])
    func silentKey(rule: String, algorithm: String) async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create(algorithm: "EdDSA", standby: false)
            let mechanism = algorithm == "RS256" ? "CKM_RSA_PKCS" : "CKM_ECDSA"
            try token.set("\(rule) mechanism=\(mechanism)")
            let error = try await refusal { try await client.create("other", algorithm: algorithm) }
            #expect(error.reason == .hsmUnavailable)
            #expect(error.message.contains("does not sign with it"), "\(error.message)")
            #expect(try await client.call(IssuerListParameters()).issuers.count == 1)
            await agent.settle()
            #expect(try agent.keyObjectsOnToken() == 2)
            _ = try await client.sign()
            try token.clear()
            try await client.create("other", algorithm: algorithm)
            _ = try await client.sign("other")
        }
    }

    @Test("a P-521 key whose point comes with its length in one byte signs", arguments: [true, false])
    func shortPoint(outlivesRestart: Bool) async throws {
        try await AgentFixture.with("* short-point") { agent, _, client in
            try await client.create(algorithm: "ES512")
            await agent.settle()
            if outlivesRestart { try await agent.restart() }
            try await agent.connected { client in
                let signed = try await client.sign()
                _ = try await client.verify(signed.jwt, now: agent.clock.now)
                try await client.rotate()
                _ = try await client.verify(try await client.sign().jwt, now: agent.clock.now)
                #expect(try await client.health().status == "ok")
            }
        }
    }
}
