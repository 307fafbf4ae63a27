import AgentClient
import AgentProtocol
import FaultyTokenSupport
import PKCS11
import Platform
import Testing

@testable import Agent

@Suite("Custody rules")
struct CustodyRuleTests {
    static let good = CustodyAttributes(
        sensitive: true, extractable: false, alwaysSensitive: true, neverExtractable: true, local: true, sign: true,
        signRecover: false, decrypt: false, unwrap: false, derive: false)
    static let everything = CustodyRules(
        acceptingUnreported: Set(CustodyRules.Unreported.allCases), usages: Set(CustodyRules.Usage.allCases))

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        /// Whether rules that accept everything they can accept it.
        let isAcceptable: Bool
        let attributes: CustodyAttributes
        var testDescription: String { name }

        init(_ name: String, acceptable: Bool, _ change: (inout CustodyAttributes) -> Void) {
            var attributes = CustodyRuleTests.good
            change(&attributes)
            (self.name, isAcceptable, self.attributes) = (name, acceptable, attributes)
        }
    }

    @Test("a key that is held as asked is refused by no rules")
    func held() {
        #expect(CustodyRules.strict.refusals(Self.good) == [])
        #expect(Self.everything.refusals(Self.good) == [])
    }

    @Test(
        "what is refused by strict rules, and what no rules accept",
        arguments: [
            Case("CKA_SENSITIVE is false", acceptable: false) { $0.sensitive = false },
            Case("CKA_SENSITIVE is not reported", acceptable: false) { $0.sensitive = nil },
            Case("CKA_EXTRACTABLE is true", acceptable: false) { $0.extractable = true },
            Case("CKA_EXTRACTABLE is not reported", acceptable: false) { $0.extractable = nil },
            Case("CKA_ALWAYS_SENSITIVE is false", acceptable: false) { $0.alwaysSensitive = false },
            Case("CKA_ALWAYS_SENSITIVE is not reported", acceptable: true) { $0.alwaysSensitive = nil },
            Case("CKA_NEVER_EXTRACTABLE is false", acceptable: false) { $0.neverExtractable = false },
            Case("CKA_NEVER_EXTRACTABLE is not reported", acceptable: true) { $0.neverExtractable = nil },
            Case("CKA_LOCAL is false", acceptable: false) { $0.local = false },
            Case("CKA_LOCAL is not reported", acceptable: true) { $0.local = nil },
            Case("CKA_SIGN is false", acceptable: false) { $0.sign = false },
            Case("CKA_SIGN is not reported", acceptable: false) { $0.sign = nil },
            Case("CKA_DECRYPT is true", acceptable: true) { $0.decrypt = true },
            Case("CKA_DECRYPT is not reported", acceptable: true) { $0.decrypt = nil },
            Case("CKA_UNWRAP is true", acceptable: true) { $0.unwrap = true },
            Case("CKA_UNWRAP is not reported", acceptable: true) { $0.unwrap = nil },
            Case("CKA_DERIVE is true", acceptable: true) { $0.derive = true },
            Case("CKA_DERIVE is not reported", acceptable: true) { $0.derive = nil },
            Case("CKA_SIGN_RECOVER is true", acceptable: true) { $0.signRecover = true },
            Case("CKA_SIGN_RECOVER is not reported", acceptable: true) { $0.signRecover = nil },
        ])
    func refusals(row: Case) {
        #expect(CustodyRules.strict.refusals(row.attributes) == [row.name])
        #expect(Self.everything.refusals(row.attributes) == (row.isAcceptable ? [] : [row.name]))
    }

    @Test("a usage that need not be reported must still be false where it is")
    func unreportedUsage() {
        let rules = CustodyRules(acceptingUnreported: [.decrypt])
        var attributes = Self.good
        attributes.decrypt = nil
        #expect(rules.refusals(attributes) == [])
        attributes.decrypt = true
        #expect(rules.refusals(attributes) == ["CKA_DECRYPT is true"])
    }

    @Test("rules say what they accept, in an order of their own")
    func relaxations() {
        #expect(CustodyRules.strict.relaxations == nil)
        #expect(
            CustodyRules(acceptingUnreported: [.local, .alwaysSensitive], usages: [.decrypt]).relaxations
                == "not reporting CKA_ALWAYS_SENSITIVE, CKA_LOCAL; allowing CKA_DECRYPT")
        #expect(CustodyRules(usages: [.signRecover]).relaxations == "allowing CKA_SIGN_RECOVER")
    }
}

@Suite("Custody on a token that does otherwise than asked")
struct OtherCustodyTests {
    @Test(
        "a key that a token holds otherwise is refused, naming the attribute, and destroyed",
        arguments: [
            ("attribute=CKA_SENSITIVE:false", "CKA_SENSITIVE is false"),
            ("no-attribute=CKA_SENSITIVE", "CKA_SENSITIVE is not reported"),
            ("attribute=CKA_EXTRACTABLE:true", "CKA_EXTRACTABLE is true"),
            ("attribute=CKA_LOCAL:false", "CKA_LOCAL is false"),
            ("attribute=CKA_NEVER_EXTRACTABLE:false", "CKA_NEVER_EXTRACTABLE is false"),
            ("attribute=CKA_ALWAYS_SENSITIVE:false", "CKA_ALWAYS_SENSITIVE is false"),
        ])
    func refusedAlways(rule: String, reason: String) async throws {
        try await AgentFixture.stopped { agent, token in
            agent.configuration.withLock { $0.hsm.custody = CustodyRuleTests.everything }
            try await agent.start()
            try await agent.connected { client in
                try token.set("C_GetAttributeValue \(rule)")
                let error = try await refusal { try await client.create() }
                #expect(error.reason == .hsmUnavailable)
                #expect(error.message.contains(reason), "\(error.message)")
                #expect(try agent.keyObjectsOnToken() == 0)
                try token.clear()
                try await client.create()
                await agent.settle()
                #expect(try agent.keyObjectsOnToken() == 4)
            }
        }
    }

    @Test(
        "what a token does not report is refused unless the configuration accepts that, and then shown as unknown",
        arguments: [CustodyRules.Unreported.local, .alwaysSensitive, .neverExtractable, .unwrap, .derive, .decrypt])
    func unreported(attribute: CustodyRules.Unreported) async throws {
        try await AgentFixture.stopped { agent, token in
            try token.set("C_GetAttributeValue no-attribute=\(attribute.rawValue)")
            try await agent.start()
            try await agent.connected { client in
                let error = try await refusal { try await client.create() }
                #expect(error.message.contains("\(attribute.rawValue) is not reported"), "\(error.message)")
                #expect(try agent.keyObjectsOnToken() == 0)
            }
            await agent.stop()
            agent.configuration.withLock { $0.hsm.custody = CustodyRules(acceptingUnreported: [attribute]) }
            try await agent.start()
            try await agent.connected { client in
                try await client.create()
                await agent.settle()
                for key in try await client.keys() {
                    let shown = try #require(key.custody)
                    let values: [CustodyRules.Unreported: Bool?] = [
                        .local: shown.local, .alwaysSensitive: shown.alwaysSensitive,
                        .neverExtractable: shown.neverExtractable, .unwrap: shown.unwrap, .derive: shown.derive,
                        .decrypt: shown.decrypt,
                    ]
                    for (name, value) in values { #expect((value == nil) == (name == attribute), "\(name)") }
                }
                _ = try await client.sign()
            }
        }
    }

    @Test("a token that takes no template with a false usage is asked without; what it makes of that is refused or accepted")
    func template() async throws {
        try await AgentFixture.stopped { agent, token in
            try token.set("* refuse-template=CKA_DECRYPT")
            try await agent.start()
            try await agent.connected { client in
                // SoftHSM allows a usage that is left out.
                let error = try await refusal { try await client.create() }
                #expect(error.message.contains("CKA_DECRYPT is true"), "\(error.message)")
                #expect(error.message.contains("C_GenerateKeyPair: CKR_GENERAL_ERROR"), "\(error.message)")
                #expect(try token.count("C_GenerateKeyPair") == 2)
                #expect(try agent.keyObjectsOnToken() == 0)
            }
            await agent.stop()
            agent.configuration.withLock {
                $0.hsm.custody = CustodyRules(usages: [.decrypt, .unwrap, .derive, .signRecover])
            }
            try await agent.start()
            try await agent.connected { client in
                try await client.create(standby: false)
                #expect(try token.count("C_GenerateKeyPair") == 4)
                let custody = try #require(try await client.key("active")?.custody)
                #expect(custody.decrypt == true && custody.unwrap == true)
                #expect(custody.sensitive == true && custody.extractable == false)
                #expect(try agent.keyObjectsOnToken() == 2)
                // It is known by now how the token wants to be asked, for another algorithm too.
                try await client.create("other", algorithm: "ES384", standby: false)
                #expect(try token.count("C_GenerateKeyPair") == 5)
                let signed = try await client.sign()
                _ = try await client.verify(signed.jwt, now: agent.clock.now)
            }
        }
    }

    @Test("a pair that was made although the token returned an error is taken, not made twice", arguments: ["ES256", "EdDSA"])
    func madeAllTheSame(algorithm: String) async throws {
        try await AgentFixture.with("C_GenerateKeyPair return-after=CKR_GENERAL_ERROR count=1") { agent, token, client in
            try await client.create(algorithm: algorithm, standby: false)
            #expect(try token.count("C_GenerateKeyPair") == 1)
            #expect(try agent.keyObjectsOnToken() == 2)
            let signed = try await client.sign()
            _ = try await client.verify(signed.jwt, now: agent.clock.now)
        }
    }

    @Test("an error that is not of the template is not tried again", arguments: ["CKR_DEVICE_MEMORY", "CKR_FUNCTION_FAILED"])
    func otherError(returnValue: String) async throws {
        try await AgentFixture.with("C_GenerateKeyPair return=\(returnValue) count=1") { agent, token, client in
            let error = try await refusal { try await client.create(standby: false) }
            #expect(error.message.contains(returnValue), "\(error.message)")
            #expect(try token.count("C_GenerateKeyPair") == 1)
            #expect(try agent.keyObjectsOnToken() == 0)
        }
    }

    @Test("Ed25519 is asked for by the other spelling of its curve where the token does not take the first")
    func otherSpelling() async throws {
        try await AgentFixture.with("C_GenerateKeyPair return=CKR_CURVE_NOT_SUPPORTED count=1") { agent, token, client in
            try await client.create(algorithm: "EdDSA", standby: false)
            #expect(try token.count("C_GenerateKeyPair") == 2)
            let parameters = try agent.onToken { session in
                let found = try session.findObjects([.class(.publicKey)])
                return try session.bytes(.ecParameters, of: try #require(found.first))
            }
            #expect(parameters == Edwards25519.printableString.parameters)
            let signed = try await client.sign()
            _ = try await client.verify(signed.jwt, now: agent.clock.now)
        }
    }

    @Test("a curve that the token does not have is tried once for ECDSA, whose curves have one spelling")
    func noOtherSpelling() async throws {
        try await AgentFixture.with("C_GenerateKeyPair return=CKR_CURVE_NOT_SUPPORTED count=1") { _, token, client in
            let error = try await refusal { try await client.create(algorithm: "ES384") }
            #expect(error.reason == .unsupportedAlgorithm)
            #expect(try token.count("C_GenerateKeyPair") == 1)
        }
    }
}
