import AgentClient
import AgentProtocol
import PKCS11
import Testing

/// The bytes that hexadecimal text stands for.
func bytes(ofHexadecimal text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

@Suite("Custody of keys on the token")
struct CustodyTests {
    @Test(
        "private keys are sensitive, never extractable and sign only, by list-keys and by the token",
        arguments: ["ES256", "RS256", "PS256", "ES384", "ES512", "EdDSA"])
    func custody(algorithm: String) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(algorithm: algorithm)
            await agent.settle()
            let keys = try await client.keys("demo")
            #expect(keys.map(\.state) == ["active", "standby"])
            for key in keys {
                let shown = try #require(key.custody)
                let wanted = CustodyView(
                    keyID: shown.keyID, sensitive: true, extractable: false, alwaysSensitive: true, neverExtractable: true,
                    local: true, sign: true, decrypt: false, unwrap: false, derive: false, signRecover: false)
                #expect(shown == wanted)
                let onToken = try agent.onToken { session in
                    try session.custody(of: session.findKey(.privateKey, id: bytes(ofHexadecimal: shown.keyID)))
                }
                #expect(onToken.sensitive == true && onToken.alwaysSensitive == true && onToken.sign == true)
                #expect(onToken.extractable == false && onToken.neverExtractable == true)
                #expect(onToken.decrypt == false && onToken.unwrap == false && onToken.derive == false)
            }
        }
    }

    @Test("both halves of a key are labelled privyseal, deployment, issuer")
    func labels() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let labels = try agent.onToken { session in
                try [ObjectClass.privateKey, .publicKey].flatMap { type in
                    try session.findObjects([.class(type)]).map { try session.bytes(.label, of: $0) ?? [] }
                }
            }
            #expect(
                labels.map { String(decoding: $0, as: UTF8.self) }
                    == Array(repeating: "privyseal/\(agent.deployment)/demo", count: 4))
        }
    }

    @Test("lists come in pages that hold each entry once")
    func pages() async throws {
        try await AgentFixture.with { agent, client in
            for name in ["a", "a-b", "ab", "b"] { try await client.create(name, standby: true) }
            await agent.settle()
            let all = try await client.keys()
            #expect(all.count == 8)
            for limit in 1...3 {
                var kids: [String] = []
                var cursor: String?
                repeat {
                    let page = try await client.call(ListKeysParameters(limit: limit, cursor: cursor))
                    #expect(page.keys.count <= limit)
                    kids += page.keys.map(\.kid)
                    cursor = page.nextCursor
                } while cursor != nil
                #expect(kids == all.map(\.kid))
            }
        }
    }
}
