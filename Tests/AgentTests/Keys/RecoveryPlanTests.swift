import IssuerStore
import KeyLifecycle
import Testing

@testable import Agent

@Suite("What an operator decides about a store and a token that went apart")
struct RecoveryPlanTests {
    private func plan(_ scene: Scene, _ request: RecoveryRequest = RecoveryRequest()) throws -> RecoveryPlan {
        try RecoveryPlan(request, scene.plan, issuers: scene.issuers, at: Scene.moment)
    }

    @Test("where nothing differs, nothing changes")
    func nothing() throws {
        let scene = Scene(
            issuers: [Scene.issuer(Scene.key(1, .active))], copiedAt: Scene.moment, entries: [Scene.pair(1)])
        let plan = try plan(scene)
        #expect(plan.isEmpty && plan.unchanged == [Scene.demo])
        #expect(plan.lines.contains { $0.contains("agree about every key") })
    }

    @Test("only issuers that differ are renewed")
    func onlyDiffering() throws {
        let scene = Scene(
            issuers: [
                Scene.issuer(Scene.key(1, .active)), Scene.issuer(named: "other", Scene.key(2, .active)),
                Scene.issuer(named: "third", Scene.key(3, .active)),
            ], copiedAt: Scene.moment, entries: [Scene.pair(1), Scene.pair(2), Scene.pair(7, issuer: "late"), Scene.pair(8)])
        let plan = try plan(scene)
        #expect(plan.parts.map(\.name.text) == ["demo", "late", "third"])
        #expect(plan.parts.map { $0.issuer == nil } == [false, true, false])
        #expect(plan.unchanged.map(\.text) == ["other"])
    }

    @Test("a key comes back if it is a whole pair on the token and has not ended in the store")
    func retained() throws {
        let scene = Scene(
            issuers: [Scene.issuer(Scene.key(1, .active), Scene.key(2, .standby), Scene.key(3, .revoked))],
            entries: [Scene.pair(1), Scene.pair(7), Scene.pair(8, publicKeys: 0), Scene.pair(9, privateKeys: 2)])
        for number in [1, 7] as [UInt8] {
            let plan = try plan(scene, RecoveryRequest(retained: [Scene.kid(number)]))
            #expect(plan.parts.map(\.retained?.keyID) == [Scene.keyID(number)])
        }
        for number in [2, 3, 8, 9, 5] as [UInt8] {
            let error = #expect(throws: RecoveryRefusal.self) {
                try plan(scene, RecoveryRequest(retained: [Scene.kid(number)]))
            }
            #expect(error?.message.contains(Scene.kid(number)) == true)
            #expect(error?.hint.contains(Scene.kid(7)) == true, "it says which can")
        }
    }

    @Test("of one issuer one key comes back at most")
    func oneRetained() {
        let scene = Scene(
            issuers: [Scene.issuer(Scene.key(1, .active))], entries: [Scene.pair(1), Scene.pair(7), Scene.pair(8)])
        #expect(throws: RecoveryRefusal.self) {
            try plan(scene, RecoveryRequest(retained: [Scene.kid(7), Scene.kid(8)]))
        }
    }

    @Test("a lost store comes back from the labels, with what an operator says of its issuers")
    func lostStore() throws {
        let scene = Scene(
            knownToken: nil,
            entries: [Scene.pair(1), Scene.pair(2), Scene.pair(3, issuer: "other"), Scene.pair(4, deployment: "d2")])
        let other = try #require(IssuerName("other"))
        let plan = try plan(
            scene,
            RecoveryRequest(retained: [Scene.kid(2)], urls: [Scene.demo: "https://oidc.example.com/t/u/"]))
        #expect(plan.parts.map(\.name) == [Scene.demo, other])
        #expect(plan.parts[0].url == "https://oidc.example.com/t/u/")
        #expect(plan.parts[0].retained?.kid == Scene.kid(2))
        #expect(plan.parts[1].url == nil && plan.parts[1].retained == nil)
        #expect(plan.parts.allSatisfy { $0.settings.algorithm == .rs256 })
    }

    @Test(
        "what is no URL of an issuer, or none that is made anew, is refused",
        arguments: [
            ("demo", "https://oidc.example.com/t/u"), ("demo", "ftp://oidc.example.com/"), ("demo", "https://a b/"),
            ("demo", "https://oidc.example.com/?x/"), ("known", "https://oidc.example.com/"), ("nobody", "https://x/"),
        ])
    func urls(_ name: String, _ url: String) throws {
        let scene = Scene(
            issuers: [Scene.issuer(named: "known", Scene.key(9, .active))], entries: [Scene.pair(9), Scene.pair(1)])
        let issuer = try #require(IssuerName(name))
        #expect(throws: RecoveryRefusal.self) { try plan(scene, RecoveryRequest(urls: [issuer: url])) }
    }

    /// A store and a token, and whether the token may be taken for one that replaces a lost one.
    static let replacements: [(what: String, scene: Scene, isReplacement: Bool)] = [
        ("a blank token", Scene(issuers: [Scene.issuer(Scene.key(1, .active))]), true),
        (
            "a token with keys of another deployment",
            Scene(
                issuers: [Scene.issuer(Scene.key(1, .active))], entries: [Scene.pair(1, deployment: "d2", publicKeyOf: 9)]
            ), false
        ),
        ("the token itself", Scene(issuers: [Scene.issuer(Scene.key(1, .active))], entries: [Scene.pair(1)]), false),
        (
            "a token that still has the standby key",
            Scene(issuers: [Scene.issuer(Scene.key(1, .active), Scene.key(2, .standby))], entries: [Scene.pair(2)]), false
        ),
        (
            "a token that still has a key to be destroyed",
            Scene(
                issuers: [Scene.issuer(Scene.key(1, .active))], destructions: [Scene.destruction(7)], entries: [Scene.pair(7)]),
            false
        ),
        (
            "a copy that nobody has decided about",
            Scene(issuers: [Scene.issuer(Scene.key(1, .active))], copiedAt: Scene.moment), false
        ),
        (
            "a token with keys the store has never heard of",
            Scene(issuers: [Scene.issuer(Scene.key(1, .active))], entries: [Scene.pair(7)]), false
        ),
        ("a store that has never used a token", Scene(), false),
        ("a store with nothing but a key to be destroyed", Scene(destructions: [Scene.destruction(7)], knownToken: nil), true),
    ]

    @Test("a token replaces another only when the other is lost", arguments: replacements.indices)
    func replacement(_ number: Int) throws {
        let (what, scene, isReplacement) = Self.replacements[number]
        let plan = try? TokenReplacementPlan(scene.plan, issuers: scene.issuers, at: Scene.moment)
        #expect((plan != nil) == isReplacement, "\(what)")
    }
}
