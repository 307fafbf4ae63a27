import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import KeyLifecycle
import SoftHSMSupport
import Testing

/// A whole life of keys, seen by a module that writes down what the agent asks of the token.
@Suite("A private key never leaves the token")
struct NeverLeavesTests {
    /// What would take a key out, bring one in, or make it another.
    static let forbiddenFunctions = [
        "C_WrapKey", "C_UnwrapKey", "C_CopyObject", "C_DeriveKey", "C_SetAttributeValue",
        "C_GetOperationState", "C_Decrypt", "C_DecryptInit", "C_SignRecover", "C_SignRecoverInit",
    ]
    /// The private values of every kind of key (PKCS#11 v2.40 current mechanisms §2).
    static let privateAttributes = [
        "CKA_VALUE", "CKA_PRIVATE_EXPONENT", "CKA_PRIME_1", "CKA_PRIME_2", "CKA_EXPONENT_1", "CKA_EXPONENT_2",
        "CKA_COEFFICIENT",
    ]
    /// Without these the log would have missed what happened.
    static let expectedFunctions = [
        "C_Initialize", "C_Login", "C_GenerateKeyPair", "C_GetAttributeValue", "C_SignInit", "C_Sign", "C_DestroyObject",
        "C_Finalize",
    ]

    @Test("by the counters of the faulty token")
    func counters() async throws {
        try await Installation.withFaultyToken { site, token in
            try await liveThrough(site)
            let counters = try token.counters()
            for function in Self.expectedFunctions { #expect(counters[function, default: 0] > 0, "\(function)") }
            for attribute in ["CKA_MODULUS", "CKA_EC_POINT", "CKA_SENSITIVE", "CKA_EXTRACTABLE"] {
                #expect(counters["C_GetAttributeValue:\(attribute)", default: 0] > 0, "\(attribute)")
            }
            for function in Self.forbiddenFunctions { #expect(counters[function] == nil, "\(function)") }
            // The note of who uses the token, one for each start, and nothing else.
            #expect(counters["C_CreateObject", default: 0] > 0)
            #expect(counters["C_CreateObject"] == counters["C_CreateObject:CKO_DATA"])
            for attribute in Self.privateAttributes {
                #expect(counters["C_GetAttributeValue:\(attribute)"] == nil, "\(attribute)")
            }
            #expect(counters.keys.filter { $0.hasPrefix("C_GetAttributeValue:0x") }.isEmpty, "what nobody here can name")
        }
    }

    @Test("by the log of OpenSC's pkcs11-spy")
    func spy() async throws {
        let spy = try #require(Spy.path, "opensc-pkcs11 is not installed")
        try await SoftHSMToken.with { token in
            let log = token.directory + "/spy.log"
            let environment = ["PKCS11SPY": token.modulePath, "PKCS11SPY_OUTPUT": log]
            let site = try Installation(token, modulePath: spy, agentEnvironment: environment)
            try await site.run(liveThrough)
            let text = try String(contentsOfFile: log, encoding: .utf8)
            // It has the PIN in it.
            try FileManager.default.removeItem(atPath: log)
            let (functions, attributes) = Spy.mentioned(in: text)
            for function in Self.expectedFunctions { #expect(functions.contains(function), "\(function)") }
            for attribute in ["CKA_MODULUS", "CKA_EC_POINT", "CKA_SENSITIVE"] {
                #expect(attributes.contains(attribute), "\(attribute)")
            }
            #expect(functions.isDisjoint(with: Self.forbiddenFunctions))
            #expect(Spy.created(in: text) == ["CKO_DATA"], "the note of who uses the token")
            #expect(attributes.isDisjoint(with: Self.privateAttributes))
        }
    }

    /// Everything that happens to keys, with each algorithm, through the agent; twice restarted, once killed.
    private func liveThrough(_ site: Installation) async throws {
        var agent = try await site.startAgent()
        var client = try await site.connect()
        // At first it answers health and looks at the token meanwhile.
        let isWell = await poll("health") { try await client.call(HealthParameters()).status == "ok" }
        #expect(isWell)
        var names: [String] = []
        for algorithm in SignatureAlgorithm.allCases {
            let name = algorithm.rawValue.lowercased()
            do {
                _ = try await client.call(
                    IssuerCreateParameters(issuer: name, enableOIDCIssuer: true, settings: .init(algorithm: algorithm.rawValue)))
                names.append(name)
            } catch let error as ProtocolError where error.reason == .unsupportedAlgorithm {
                continue
            }
        }
        #expect(Set(["rs256", "es256"]).isSubset(of: names))
        for name in names {
            try await change(name, client)
        }
        await client.close()
        #expect(await agent.end() == 0)

        agent = try await site.startAgent()
        client = try await site.connect()
        let rotating = Task { [client, name = names[0]] in try await client.call(RotateParameters(issuer: name)) }
        await agent.end(SIGKILL)
        _ = await rotating.result
        await client.close()

        agent = try await site.startAgent()
        client = try await site.connect()
        for name in names {
            try await use(name, client)
            _ = try await client.call(IssuerDeleteParameters(issuer: name))
        }
        await client.close()
        #expect(await agent.end() == 0)
    }

    private func change(_ name: String, _ client: AgentConnection) async throws {
        try await use(name, client)
        _ = try await client.call(RotateParameters(issuer: name))
        try await use(name, client)
        let rotated = try await client.call(RotateParameters(issuer: name))
        try await use(name, client)
        _ = try await client.call(RevokeKeyParameters(kid: rotated.activeKid))
        _ = try await client.call(IssuerUpdateParameters(issuer: name, enableOIDCIssuer: false))
        _ = try await client.call(
            IssuerUpdateParameters(issuer: name, enableOIDCIssuer: true, settings: .init(lifetimeSeconds: 900)))
        let other = name == "rs256" ? "ES256" : "RS256"
        _ = try await client.call(IssuerUpdateParameters(issuer: name, settings: .init(algorithm: other)))
        _ = try await client.call(RotateParameters(issuer: name))
        try await use(name, client)
    }

    private func use(_ name: String, _ client: AgentConnection) async throws {
        for _ in 1...3 { _ = try await client.call(SignParameters(issuer: name, claims: ["aud": "api"])) }
        let keys = try await client.call(ListKeysParameters(issuer: name, limit: 500)).keys
        #expect(keys.contains { $0.state == "active" && $0.custody?.extractable == false })
        _ = try await client.call(IssuerStatusParameters(issuer: name))
        _ = try await client.call(GetDiscoveryParameters(issuer: name))
    }
}

/// OpenSC's module that logs what goes through it.
private enum Spy {
    static let path = [
        "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so", "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so", "/usr/lib/pkcs11-spy.so",
    ].first(where: FileManager.default.fileExists(atPath:))

    /// The functions called, which stand in lines of their own as `12: C_Sign`, and every attribute in any template.
    static func mentioned(in log: String) -> (functions: Set<String>, attributes: Set<String>) {
        var (functions, attributes): (Set<String>, Set<String>) = ([], [])
        for line in log.split(separator: "\n") {
            if let match = line.wholeMatch(of: /\d+: (C_\w+)/) { functions.insert(String(match.output.1)) }
            for match in line.matches(of: /\bCKA_\w+/) { attributes.insert(String(match.output)) }
        }
        return (functions, attributes)
    }

    /// The classes of objects that were to be created from templates.
    static func created(in log: String) -> Set<String> {
        var classes: Set<String> = []
        var isCreating = false
        for line in log.split(separator: "\n") {
            if let match = line.wholeMatch(of: /\d+: (C_\w+)/) { isCreating = match.output.1 == "C_CreateObject" }
            guard isCreating, line.contains("CKA_CLASS"), let match = line.firstMatch(of: /\bCKO_\w+/) else { continue }
            classes.insert(String(match.output))
        }
        return classes
    }
}
