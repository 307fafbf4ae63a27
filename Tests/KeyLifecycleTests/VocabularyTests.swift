import KeyLifecycle
import Testing

@Suite("names, ids and rings")
struct VocabularyTests {
    @Test(
        "issuer names match [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        arguments: [
            ("a", true), ("0", true), ("demo", true), ("a-b", true), ("a--b", true), (String(repeating: "a", count: 63), true),
            (String(repeating: "a", count: 64), false), ("", false), ("-", false), ("-a", false), ("a-", false), ("A", false),
            ("a_b", false), ("a.b", false), ("a b", false), ("ä", false), ("a\n", false), ("a/b", false), ("a\u{301}", false),
        ])
    func issuerName(text: String, isValid: Bool) {
        #expect((IssuerName(text) != nil) == isValid)
        #expect(IssuerName(text).map(\.text) == (isValid ? text : nil))
    }

    @Test("a CKA_ID has exactly 16 bytes and reads as hexadecimal", arguments: [0, 15, 16, 17])
    func keyID(count: Int) {
        let keyID = KeyID([UInt8](repeating: 0xA5, count: count))
        #expect((keyID != nil) == (count == 16))
        #expect(keyID.map { "\($0)" } == (count == 16 ? String(repeating: "a5", count: 16) : nil))
    }

    @Test("standby, active and retiring keys are published, ended ones are not")
    func publishedStates() {
        #expect(KeyState.allCases.filter(\.isPublished) == [.standby, .active, .retiring])
    }

    @Test("the published keys come active first, then retiring, then standby")
    func publishedOrder() {
        let ring = sampleIssuer("k1 retired, k2 standby, k3 retiring, k4 active, k5 revoked").ring
        #expect(kids(ring.published) == ["k4", "k3", "k2"])
    }

    @Test(
        "a ring that breaks its invariants says how",
        arguments: [
            ("k1 active, k2 standby, k3 retiring, k4 retired, k5 revoked", 0), ("k1 standby", 1), ("k1 active, k2 active", 1),
            ("k1 active, k2 retiring, k3 retiring", 1), ("k1 active, k2 standby, k3 standby", 1), ("k1 active, k1 revoked", 2),
            ("", 1),
        ])
    func violations(shape: String, count: Int) {
        #expect(sampleIssuer(shape).ring.violations.count == count)
    }

    @Test("refusals are equal by code, and read as what happened")
    func errors() {
        let one = LifecycleError(.conflict, "one", hint: "a")
        #expect(one == LifecycleError(.conflict, "another", hint: "b"))
        #expect(one != LifecycleError(.keyNotFound, "one", hint: "a"))
        #expect("\(one)" == "one")
        #expect(LifecycleError.Code(rawValue: "conflict") == .conflict)
    }
}
