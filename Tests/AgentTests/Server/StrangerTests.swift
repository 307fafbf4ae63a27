import Agent
import AgentClient
import AgentProtocol
import FaultyTokenSupport
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@Suite("A token that others use too")
struct StrangerTests {
    @Test("the whole life of keys among foreign objects leaves those as they are", arguments: [0, 1_000])
    func foreignObjects(count: Int) async throws {
        try await AgentFixture.stopped { agent, token in
            let foreign = try await ForeignObjects(count, on: token.softHSM)
            #expect(foreign.count >= count)
            let before = try agent.onIdleToken { session in
                try session.findObjects([.class(.privateKey)]).count + session.findObjects([.class(.publicKey)]).count
            }
            try await agent.start()
            try await agent.connected { client in
                for (issuer, algorithm) in [("e", "EdDSA"), ("p", "ES256"), ("r", "RS256")] {
                    try await client.create(issuer, algorithm: algorithm)
                    await agent.settle()
                    let first = try await client.sign(issuer)
                    try await client.rotate(issuer)
                    let second = try await client.sign(issuer)
                    for jwt in [first.jwt, second.jwt] { _ = try await client.verify(jwt, issuer: issuer, now: agent.clock.now) }
                    await agent.settle()
                    try await client.rotate(issuer)
                    await agent.settle()
                    _ = try await client.revoke(try await client.status(issuer).activeKid)
                    await agent.settle()
                    _ = try await client.sign(issuer)
                }
                #expect(try await client.health().status == "ok")
                #expect(try foreign.areUntouched())
                for issuer in ["e", "p", "r"] { _ = try await client.call(IssuerDeleteParameters(issuer: issuer)) }
                await agent.settle()
                #expect(try agent.keyObjectsOnToken() == before)
            }
            try await agent.restart()
            #expect(try foreign.areUntouched())
        }
    }

    @Test("a signature costs no search, however many objects there are")
    func searches() async throws {
        try await AgentFixture.stopped { agent, token in
            _ = try await ForeignObjects(100, on: token.softHSM)
            try await agent.start()
            try await agent.connected { client in
                try await client.create(standby: false)
                let before = try token.count("C_FindObjectsInit")
                for _ in 1...100 { _ = try await client.sign() }
                #expect(try token.count("C_FindObjectsInit") == before)
            }
        }
    }

    @Test("making keys, rotating, listing keys and first signatures cost no search, however many objects there are")
    func searchesOfChanges() async throws {
        try await AgentFixture.stopped { agent, token in
            _ = try await ForeignObjects(100, on: token.softHSM)
            try await agent.start()
            try await agent.connected { client in
                // Without a key of its own, an agent has none to see by that the token answers.
                try await client.create("first")
                await agent.settle()
                let before = try token.count("C_FindObjectsInit")
                try await client.create("second")
                await agent.settle()
                _ = try await client.sign("second")
                try await client.rotate("second")
                await agent.settle()
                _ = try await client.sign("second")
                #expect(try await client.key("standby", of: "second")?.custody?.sensitive == true)
                #expect(try token.count("C_FindObjectsInit") == before)
            }
        }
    }

    @Test("a start searches the token once for private keys, for public ones and for notes, however many there are")
    func searchesOfStart() async throws {
        try await AgentFixture.stopped { agent, token in
            try await agent.start()
            try await agent.connected { client in
                for issuer in ["a", "b", "c"] { try await client.create(issuer) }
                await agent.settle()
            }
            let before = try token.count("C_FindObjectsInit")
            try await agent.restart()
            try await agent.connected { client in
                for issuer in ["a", "b", "c"] { _ = try await client.sign(issuer) }
            }
            #expect(try token.count("C_FindObjectsInit") - before == 3)
        }
    }

    @Test("a pair whose handles show another key is searched for, and used")
    func foreignHandles() async throws {
        try await AgentFixture.with("C_GetAttributeValue attribute=CKA_ID:00") { agent, token, client in
            let before = try token.count("C_FindObjectsInit")
            try await client.create(standby: false)
            #expect(try token.count("C_FindObjectsInit") - before >= 2)
            _ = try await client.sign()
        }
    }

    @Test(
        "a second key under a key's CKA_ID takes that key out of use, named; of the two, one is destroyed that is known for ours",
        arguments: [true, false])
    func doubled(hasOurLabel: Bool) async throws {
        try await AgentFixture.stopped { agent in
            try await agent.start()
            var (kid, keyID) = ("", "")
            try await agent.connected { client in
                try await client.create("a", standby: false)
                try await client.create("b", standby: false)
                let key = try #require(try await client.key("active", of: "a"))
                (kid, keyID) = (key.kid, try #require(key.custody?.keyID))
            }
            await agent.stop()
            try agent.onIdleToken { session in
                _ = try session.generateKeyPair(
                    .ec(.p256), id: bytes(ofHexadecimal: keyID),
                    label: hasOurLabel ? "privyseal/\(agent.deployment)/a" : "theirs")
            }
            try await agent.start()
            try await agent.connected { client in
                let error = try await refusal { _ = try await client.sign("a") }
                #expect(error.reason == .hsmUnavailable)
                #expect(error.message.contains(kid) && error.message.contains("more than one"), "\(error.message)")
                #expect(try await client.sign("b").jwt.isEmpty == false)
                let health = try await client.health()
                #expect(health.status == "degraded")
                #expect(health.problems.contains { $0.message.contains(kid) })

                _ = try await client.revoke(kid)
                await agent.settle()
                let signed = try await client.sign("a")
                #expect(signed.kid != kid)
                // By its label: of two that are labelled as ours nobody knows which is.
                let left = try agent.onToken { session in
                    try session.findObjects([.id(bytes(ofHexadecimal: keyID))]).map { try session.bytes(.label, of: $0) }
                }
                let problems = try await client.health().problems
                if hasOurLabel {
                    #expect(problems.contains { $0.message.contains("another key under the CKA_ID") }, "\(problems)")
                    #expect(left.count == 4)
                } else {
                    #expect(problems.isEmpty, "\(problems)")
                    #expect(left == [Array("theirs".utf8), Array("theirs".utf8)])
                }
            }
        }
    }

    @Test(
        "a key of another type or curve in a key's place is not signed with",
        arguments: [
            ("ES256", KeyPairAlgorithm.ec(.p384)), ("ES384", .ec(.p256)), ("ES256", .rsa(modulusBits: 2048)),
            ("RS256", .ec(.p256)), ("EdDSA", .ec(.p256)), ("ES256", .ed25519(.objectIdentifier)),
        ])
    func replaced(algorithm: String, other: KeyPairAlgorithm) async throws {
        try await AgentFixture.stopped { agent, token in
            try await agent.start()
            var keyID = ""
            try await agent.connected { client in
                try await client.create(algorithm: algorithm)
                await agent.settle()
                keyID = try #require(try await client.key("active")?.custody?.keyID)
            }
            await agent.stop()
            try agent.onIdleToken { session in
                let id = bytes(ofHexadecimal: keyID)
                try session.destroyObject(session.findKey(.privateKey, id: id))
                try session.destroyObject(session.findKey(.publicKey, id: id))
                _ = try session.generateKeyPair(other, id: id, label: "theirs")
            }
            try await agent.start()
            try await agent.connected { client in
                // Counts the calls with this key; a probe signs with others.
                try token.set("C_SignInit delay=1us key-id=\(keyID)")
                let error = try await refusal { _ = try await client.sign() }
                #expect(error.reason == .hsmUnavailable)
                #expect(error.message.contains("another key type or curve"), "\(error.message)")
                #expect(try token.count("C_SignInit:fault") == 0)
                // The standby key is where it was, and its calls are counted.
                let standby = try #require(try await client.key("standby")?.custody?.keyID)
                try token.set("C_SignInit delay=1us key-id=\(standby)")
                try await client.rotate()
                _ = try await client.sign()
                #expect(try token.count("C_SignInit:fault") > 0)
            }
        }
    }

    @Test("a secret key under a key's CKA_ID is nothing to the agent, and outlives the key")
    func secretKey() async throws {
        try await AgentFixture.stopped { agent in
            try await agent.start()
            var (kid, keyID) = ("", "")
            try await agent.connected { client in
                try await client.create()
                await agent.settle()
                let key = try #require(try await client.key("active"))
                (kid, keyID) = (key.kid, try #require(key.custody?.keyID))
            }
            await agent.stop()
            try await ForeignObjects.addSecretKey(id: keyID, on: agent.token)
            try await agent.start()
            try await agent.connected { client in
                #expect(try await client.sign().kid == kid)
                _ = try await client.revoke(kid)
                await agent.settle()
                #expect(try await client.health().status == "ok")
                let left = try agent.onToken { session in
                    try session.findObjects([.id(bytes(ofHexadecimal: keyID))]).map { try session.bytes(.label, of: $0) }
                }
                #expect(left == [Array("theirs".utf8)])
            }
        }
    }

    @Test("a key whose public half is missing signs on, rotates out, and is destroyed", arguments: ["ES256", "RS256", "EdDSA"])
    func publicKeyMissing(algorithm: String) async throws {
        try await AgentFixture.stopped { agent in
            try await agent.start()
            var (kid, keyID) = ("", "")
            try await agent.connected { client in
                try await client.create(algorithm: algorithm)
                await agent.settle()
                let key = try #require(try await client.key("active"))
                (kid, keyID) = (key.kid, try #require(key.custody?.keyID))
            }
            await agent.stop()
            try agent.onIdleToken { session in
                try session.destroyObject(session.findKey(.publicKey, id: bytes(ofHexadecimal: keyID)))
            }
            try await agent.start()
            try await agent.connected { client in
                let signed = try await client.sign()
                #expect(signed.kid == kid)
                _ = try await client.verify(signed.jwt, now: agent.clock.now)
                #expect(try await client.health().status == "ok")
                try await client.rotate()
                await agent.pass(86_400)
                #expect(try await client.key("retired")?.kid == kid)
                #expect(try !agent.privateKeysOnToken().contains(keyID))
                #expect(try await client.health().status == "ok")
            }
        }
    }
}

@Suite("A token with little to give")
struct LimitedTokenTests {
    @Test("a token that cannot be written to signs; changes are refused by name, and go on once it can")
    func writeProtected() async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create()
            await agent.settle()
            try token.set("* write-protected")
            try await agent.restart()
            try await agent.connected { client in
                let signed = try await client.sign()
                _ = try await client.verify(signed.jwt, now: agent.clock.now)
                #expect(try await client.keys().allSatisfy { $0.custody?.sensitive == true })
                let error = try await refusal { try await client.create("other") }
                #expect(error.reason == .hsmUnavailable)
                #expect(error.message.contains("CKR_TOKEN_WRITE_PROTECTED"), "\(error.message)")
                let standby = try #require(try await client.key("standby")).kid
                try await client.rotate()
                await agent.settle()
                #expect(try await client.sign().kid == standby)
                let health = try await client.health()
                #expect(health.status == "degraded")
                #expect(health.problems.contains { $0.message.contains("CKR_TOKEN_WRITE_PROTECTED") })

                try token.clear()
                await agent.pass(60)
                #expect(try await client.key("standby") != nil)
                try await client.create("other")
                await agent.settle()
                #expect(try await client.health().status == "ok")
            }
        }
    }

    @Test("a full token signs; a new key is refused by name and leaves nothing behind, and is made once there is room")
    func full() async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create()
            await agent.settle()
            try token.set("* object-limit=5")
            let error = try await refusal { try await client.create("other") }
            #expect(error.reason == .hsmUnavailable)
            #expect(error.message.contains("CKR_DEVICE_MEMORY"), "\(error.message)")
            #expect(try agent.keyObjectsOnToken() == 4)
            _ = try await client.sign()
            try token.clear()
            try await client.create("other")
            await agent.settle()
            #expect(try agent.keyObjectsOnToken() == 8)
            // What went wrong is shown for a while.
            #expect(try await client.health().problems.contains { $0.message.contains("CKR_DEVICE_MEMORY") })
            await agent.pass(10)
            #expect(try await client.health().status == "ok")
        }
    }

    @Test("a token with two sessions in all serves many callers and a rotation at once")
    func twoSessions() async throws {
        try await AgentFixture.stopped { agent, token in
            agent.configuration.withLock { $0.hsm.sessions = 4 }
            try token.set("* sessions=2")
            try await agent.start()
            try await agent.connected { client in
                try await client.create()
                await agent.settle()
                let signatures = try await withThrowingTaskGroup(of: SignResult.self) { group in
                    for _ in 1...40 { group.addTask { try await client.sign() } }
                    try await client.rotate()
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(signatures.count == 40)
                for signed in signatures { _ = try await client.verify(signed.jwt, now: agent.clock.now) }
                await agent.settle()
                #expect(try await client.key("standby") != nil)
            }
            try await agent.restart()
            try await agent.connected { client in _ = try await client.sign() }
        }
    }

    @Test(
        "a module that lacks a function the agent needs is refused by the function's name",
        arguments: ["C_Sign", "C_GetMechanismInfo", "C_GetSessionInfo", "C_FindObjectsFinal"])
    func lackingNeeded(function: String) async throws {
        try await AgentFixture.stopped(lacking: [function]) { agent, _ in
            let error = await #expect(throws: HSMError.self) { try await agent.start() }
            #expect((error?.cause as? PKCS11Error)?.code == .functionMissing)
            #expect(error?.message.contains("lacks \(function)") == true, "\(error?.message ?? "")")
            #expect(error?.hint.isEmpty == false)
        }
    }

    @Test("a module that lacks only what the agent does not need is used")
    func lackingOthers() async throws {
        let others = [
            "C_WaitForSlotEvent", "C_CreateObject", "C_CopyObject", "C_WrapKey", "C_UnwrapKey", "C_DeriveKey", "C_Encrypt",
            "C_Decrypt", "C_Digest", "C_Verify", "C_SignRecover", "C_SetAttributeValue", "C_GenerateKey", "C_GenerateRandom",
            "C_SetPIN", "C_GetObjectSize", "C_SeedRandom", "C_CloseAllSessions",
        ]
        try await AgentFixture.stopped(lacking: others) { agent, _ in
            try await agent.start()
            try await agent.connected { client in
                try await client.create()
                await agent.settle()
                try await client.rotate()
                await agent.settle()
                try await client.rotate()
                await agent.settle()
                _ = try await client.sign()
                _ = try await client.call(IssuerDeleteParameters(issuer: "demo"))
                await agent.settle()
                #expect(try agent.keyObjectsOnToken() == 0)
            }
        }
    }
}
