import KeyLifecycle
import Testing

@Suite("A store and a token that went apart")
struct RecoveryTests {
    private func stranger(_ number: Int) -> QuarantinedKey {
        let key = sampleKey(number)
        return QuarantinedKey(
            keyID: key.keyID, kid: key.kid, issuer: sampleName(), publicKey: key.publicKey, since: start)
    }

    private func retained(_ number: Int) -> RetainedKey {
        let key = sampleKey(number)
        return RetainedKey(keyID: key.keyID, kid: key.kid, algorithm: key.algorithm, publicKey: key.publicKey)
    }

    /// A ring of a store that is behind its token, what the token shows otherwise, and what is left when key 9 takes over.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let ring: String
        var missing: [Int] = []
        var unknown: [Int] = []
        var retain: Int?
        let after: String
        let quarantined: [String]
        let lost: [String]
    }

    static let cases: [Case] = [
        Case(
            testDescription: "nothing is retained", ring: "k1 active, k2 standby", unknown: [3],
            after: "k1 revoked, k2 revoked, k3 none, k9 active", quarantined: ["k1", "k2", "k3"], lost: []),
        Case(
            testDescription: "an unknown key is retained", ring: "k1 active, k2 standby", missing: [1], unknown: [3, 4],
            retain: 3,
            after: "k1 revoked, k2 revoked, k3 retiring, k9 active", quarantined: ["k2", "k4"], lost: ["k1"]),
        Case(
            testDescription: "the standby key of the store is retained", ring: "k1 retiring, k2 active, k3 standby",
            missing: [1], unknown: [4], retain: 3, after: "k1 revoked, k2 revoked, k3 retiring, k9 active",
            quarantined: ["k2", "k4"], lost: ["k1"]),
        Case(
            testDescription: "the retiring key of the store is retained", ring: "k1 retiring, k2 active", unknown: [4], retain: 1,
            after: "k1 retiring, k2 revoked, k9 active", quarantined: ["k2", "k4"], lost: []),
        Case(
            testDescription: "the token lacks every key", ring: "k1 retired, k2 active, k3 standby", missing: [2, 3],
            after: "k1 retired, k2 revoked, k3 revoked, k9 active", quarantined: [], lost: ["k2", "k3"]),
    ]

    @Test("a restored issuer gets a fresh active key, keeps at most one, and destroys nothing", arguments: cases)
    func recovering(_ example: Case) throws {
        let issuer = sampleIssuer(example.ring)
        let change = try issuer.recovering(
            with: sampleKey(9), retaining: example.retain.map(retained),
            KeyDifference(missing: Set(example.missing.map(sampleKeyID)), unknown: example.unknown.map(stranger)), at: start)
        let after = try #require(change.issuer)
        #expect(shape(after) == example.after.replacing("k3 none, ", with: ""))
        #expect(after.ring.violations.isEmpty)
        #expect(change.quarantined.map(\.name) == example.quarantined)
        #expect(change.destroyed.isEmpty)
        #expect(after.ring.keys.filter { $0.lostAt != nil }.map(\.kid) == example.lost)
        #expect(after.generation == issuer.generation + 1)
        let isStranger = example.retain.map { example.unknown.contains($0) } ?? false
        #expect(change.retained == (isStranger ? example.retain.map(sampleKeyID) : nil))
        if let retiring = after.ring.retiring {
            #expect(try #require(retiring.expiresAt) >= start + after.settings.overlap)
            #expect(try #require(retiring.expiresAt) >= start + IssuerSettings.maximumLifetimeBound)
        }
    }

    @Test("what has ended in the store, or the token does not show, does not come back", arguments: ["k1", "k2"])
    func notRetainable(_ kid: String) throws {
        let issuer = sampleIssuer("k1 revoked, k2 active, k3 standby")
        let number = try #require(Int(kid.dropFirst()))
        #expect(throws: LifecycleError(.keyNotFound, "", hint: "")) {
            try issuer.recovering(
                with: sampleKey(9), retaining: retained(number), KeyDifference(missing: [sampleKeyID(2)]), at: start)
        }
    }

    @Test("a retiring key that came back never ends sooner than it would have")
    func retainedKeepsItsEnd() throws {
        let settings = IssuerSettings(overlap: 30 * day)
        let issuer = sampleIssuer("k1 retiring, k2 active", settings: settings)
        let before = try #require(issuer.ring.retiring?.expiresAt)
        let change = try issuer.recovering(
            with: sampleKey(9), retaining: retained(1), KeyDifference(unknown: [stranger(3)]), at: before + -1)
        #expect(try #require(change.issuer?.ring.retiring?.expiresAt) >= before)
    }

    @Test("an issuer made anew has the retained key retiring, a fresh one active, and the others in quarantine")
    func rebuilding() throws {
        let change = try Issuer.rebuilding(
            sampleName(), settings: IssuerSettings(), url: "https://oidc.example.com/t/u/", firstKey: sampleKey(9),
            retaining: retained(2), unknown: [1, 2, 3].map(stranger), former: 4, at: start)
        let issuer = try #require(change.issuer)
        #expect(shape(issuer) == "k2 retiring, k9 active")
        #expect(issuer.issuerURL == "https://oidc.example.com/t/u/")
        #expect(issuer.generation == 5)
        #expect(change.expectedGeneration == nil && change.retained == sampleKeyID(2))
        #expect(change.quarantined.map(\.name) == ["k1", "k3"])
        #expect(change.destroyed.isEmpty)
    }

    /// A ring, and what it is once its token has been replaced and key 9 made on another.
    static let replacements: [(ring: String, after: String)] = [
        ("k1 active", "k1 retiring, k9 active"),
        ("k1 active, k2 standby", "k1 retiring, k2 revoked, k9 active"),
        ("k1 retiring, k2 active, k3 standby", "k1 revoked, k2 retiring, k3 revoked, k9 active"),
        ("k1 retired, k2 revoked, k3 active", "k1 retired, k2 revoked, k3 retiring, k9 active"),
    ]

    @Test("with its token gone an issuer goes on publishing what signed last, and looks for none of it", arguments: replacements)
    func replacingToken(ring: String, after: String) throws {
        let issuer = sampleIssuer(ring)
        let change = try issuer.replacingToken(with: sampleKey(9), at: start)
        let next = try #require(change.issuer)
        #expect(shape(next) == after)
        #expect(next.ring.violations.isEmpty)
        #expect(change.destroyed.isEmpty && change.quarantined.isEmpty)
        #expect(next.ring.active?.lostAt == nil)
        #expect(issuer.ring.published.allSatisfy { next.ring[$0.kid]?.lostAt == start })
        let end = try #require(next.ring.retiring?.expiresAt)
        #expect(end == issuer.retirementByReplacement(at: start))
        #expect(end >= start + issuer.settings.maximumLifetime)

        // Its end, by time or by a second rotation, asks nothing of a token either.
        let expiring = try #require(next.expiring(at: end))
        #expect(expiring.issuer?.ring.retiring == nil && expiring.destroyed.isEmpty)
        #expect(next.deleting(at: start).destroyed.map(\.kid) == ["k9"])
    }

    @Test("a fresh key of another algorithm is refused")
    func wrongAlgorithm() {
        let issuer = sampleIssuer("k1 active")
        let conflict = LifecycleError(.conflict, "", hint: "")
        #expect(throws: conflict) { try issuer.replacingToken(with: sampleKey(9, .es256), at: start) }
        #expect(throws: conflict) {
            try issuer.recovering(with: sampleKey(9, .es256), retaining: nil, KeyDifference(), at: start)
        }
    }

    @Test(
        "a label is read back as it was given, and nothing else is one",
        arguments: [
            ("privyseal/00ff/demo", true), ("privyseal/00ff/", false), ("privyseal//demo", false), ("privyseal/00ff", false),
            ("privyseal/00ff/demo/x", false), ("other/00ff/demo", false), ("privyseal/00ff/De_mo", false), ("", false),
        ])
    func label(_ text: String, isOne: Bool) {
        #expect(KeyLabel(text)?.description == (isOne ? text : nil))
    }
}
