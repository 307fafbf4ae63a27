import Agent
import AgentClient
import AgentProtocol
import FaultyTokenSupport
import IssuerStore
import KeyLifecycle
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@Suite("A stranger's object under the CKA_ID of a key that has to go")
struct StrangersKeyTests {
    /// What a stranger has put under our CKA_ID, and what we have there.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        /// The halves of the stranger's pair that are left.
        let theirs: Set<String>
        var label = "theirs"
        /// The halves of ours that are left.
        var ours: Set<String> = ["private", "public"]
        /// Whether ours are to be gone afterwards, as far as they were there.
        var endsOurs = true
        var testDescription: String { name }
    }

    private static let cases = [
        Case(name: "a private key without its public half", theirs: ["private"]),
        Case(name: "a private key without a label or its public half", theirs: ["private"], label: ""),
        Case(name: "a private key beside our public half alone", theirs: ["private"], ours: ["public"]),
        Case(name: "a private key beside our private half alone", theirs: ["private"], ours: ["private"]),
        Case(name: "a private key in the place of our pair", theirs: ["private"], ours: [], endsOurs: false),
        Case(
            name: "a private key without a label in the place of our pair", theirs: ["private"], label: "", ours: [],
            endsOurs: false),
        Case(name: "a public key alone", theirs: ["public"]),
        Case(name: "a public key beside our private half alone", theirs: ["public"], ours: ["private"]),
        Case(name: "a whole pair", theirs: ["private", "public"]),
        Case(name: "a whole pair in the place of ours", theirs: ["private", "public"], ours: [], endsOurs: false),
    ]

    @Test("is left alone, and keeps nothing of ours from being destroyed", arguments: cases, ["ES256", "RS256"])
    func revoked(row: Case, algorithm: String) async throws {
        try await AgentFixture.stopped { agent in
            try await agent.start()
            var (kid, keyID) = ("", "")
            try await agent.connected { client in
                try await client.create("a", algorithm: algorithm, standby: false)
                // Proves the token.
                try await client.create("b", standby: false)
                let key = try #require(try await client.key("active", of: "a"))
                (kid, keyID) = (key.kid, try #require(key.custody?.keyID))
            }
            await agent.stop()
            let theirs = try agent.addStranger(keyID: keyID, row, algorithm)
            try await agent.start()
            try await agent.connected { client in
                _ = try await client.revoke(kid)
                await agent.settle()
                #expect(try agent.shown(keyID) == theirs)
                let problems = try await client.health().problems
                #expect(problems.isEmpty == row.endsOurs, "\(problems)")
                #expect(try await client.sign("a").kid != kid)
                #expect(try await client.sign("b").jwt.isEmpty == false)
            }
            // Nor does a later look at the token take it for ours.
            try await agent.restart()
            await agent.settle()
            #expect(try agent.shown(keyID) == theirs)
        }
    }

    @Test("is left alone with a certificate and data under the same CKA_ID, and ours goes")
    func otherClasses() async throws {
        try await AgentFixture.stopped { agent in
            try await agent.start()
            var (kid, keyID) = ("", "")
            try await agent.connected { client in
                try await client.create(standby: false)
                let key = try #require(try await client.key("active"))
                (kid, keyID) = (key.kid, try #require(key.custody?.keyID))
            }
            await agent.stop()
            try await ForeignObjects.addCertificate(id: keyID, on: agent.token)
            try await ForeignObjects.addSecretKey(id: keyID, on: agent.token)
            try await agent.start()
            try await agent.connected { client in
                _ = try await client.revoke(kid)
                await agent.settle()
                #expect(try await client.health().status == "ok")
                #expect(try agent.shown(keyID).count == 2)
                #expect(try agent.shown(keyID).allSatisfy { $0.hasSuffix("theirs") })
            }
        }
    }

    @Test(
        "our key under another label goes all the same: what it signs says whose it is", arguments: ["ES256", "RS256", "EdDSA"])
    func relabelled(algorithm: String) async throws {
        try await AgentFixture.stopped { agent, token in
            try await agent.start()
            var (kid, keyID) = ("", "")
            try await agent.connected { client in
                try await client.create(algorithm: algorithm, standby: false)
                let key = try #require(try await client.key("active"))
                (kid, keyID) = (key.kid, try #require(key.custody?.keyID))
            }
            // "moved"
            try token.set("C_GetAttributeValue attribute=CKA_LABEL:6d6f766564 key-id=\(keyID)")
            try await agent.restart()
            try await agent.connected { client in
                _ = try await client.revoke(kid)
                await agent.settle()
                #expect(try agent.shown(keyID).isEmpty)
                #expect(try await client.health().status == "ok")
            }
        }
    }

    @Test("a generation that was cut off adopts and destroys no stranger's pair", arguments: [true, false], [true, false])
    func cutOff(isOursThere: Bool, isStandbyWanted: Bool) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: isStandbyWanted)
            await agent.settle()
            if isStandbyWanted {
                // So that one is wanted at the next start.
                agent.failures.fail { if case .record = $0 { true } else { false } }
                try await client.rotate()
                await agent.settle()
                agent.failures.fail { _ in false }
            }
            await agent.stop()
            let keyID = try await agent.recordIntent()
            if isOursThere { try agent.generateKey(keyID) }
            try agent.generateKey(keyID, label: "theirs")
            try await agent.start()
            await agent.settle()
            try await agent.connected { client in
                #expect(try agent.shown(keyID.description) == ["CKO_PRIVATE_KEY theirs", "CKO_PUBLIC_KEY theirs"])
                #expect(try await client.key("standby")?.custody?.keyID != keyID.description)
                #expect((try await client.key("standby") != nil) == isStandbyWanted)
                #expect(try await client.health().status == "ok")
                _ = try await client.sign()
            }
        }
    }
}

extension AgentFixture {
    /// Leaves of our pair what the row says, and puts a stranger's beside it. Returns what the stranger has there.
    fileprivate func addStranger(keyID: String, _ row: StrangersKeyTests.Case, _ algorithm: String) throws -> [String] {
        let id = bytes(ofHexadecimal: keyID)
        return try onIdleToken { session in
            for (name, kind) in [("private", ObjectClass.privateKey), ("public", .publicKey)] where !row.ours.contains(name) {
                try session.destroyObject(session.findKey(kind, id: id))
            }
            let pair = try session.generateKeyPair(
                algorithm == "RS256" ? .rsa(modulusBits: 2048) : .ec(.p256), id: id, label: row.label)
            if !row.theirs.contains("private") { try session.destroyObject(pair.privateKey) }
            if !row.theirs.contains("public") { try session.destroyObject(pair.publicKey) }
            return row.theirs.map { ($0 == "private" ? "CKO_PRIVATE_KEY " : "CKO_PUBLIC_KEY ") + row.label }.sorted()
        }
    }

    /// Class and label of each object with this `CKA_ID`, in hexadecimal.
    fileprivate func shown(_ keyID: String) throws -> [String] {
        try onToken { session in try Self.shown(keyID, session) }
    }

    private static func shown(_ keyID: String, _ session: borrowing Session) throws -> [String] {
        try session.findObjects([.id(bytes(ofHexadecimal: keyID))]).map { object in
            let kind = try session.number(.class, of: object).map { "\(ObjectClass(rawValue: $0))" } ?? ""
            return "\(kind) \(String(decoding: try session.bytes(.label, of: object) ?? [], as: UTF8.self))"
        }.sorted()
    }
}
