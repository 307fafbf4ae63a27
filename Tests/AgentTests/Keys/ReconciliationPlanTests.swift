import IssuerStore
import JOSE
import KeyLifecycle
import Testing

@testable import Agent

/// A store and what a token shows beside it, in few words.
struct Scene {
    static let deployment = "d1"
    static let token = TokenIdentity(label: "t", serial: "1")
    static let moment = Timestamp(seconds: 1_800_000_000)
    static let demo = IssuerName("demo")!

    var issuers: [Issuer] = []
    var intents: [GenerationIntent] = []
    var destructions: [PendingDestruction] = []
    var quarantined: [QuarantinedKey] = []
    var knownToken: TokenIdentity? = token
    var copiedAt: Timestamp?
    /// Further `CKA_ID`s the store has recorded.
    var recorded: Set<KeyID> = []
    var entries: [TokenInventory.Entry] = []

    static func keyID(_ number: UInt8) -> KeyID { KeyID([UInt8](repeating: number, count: KeyID.length))! }

    /// A point of its own for each number, so that kids differ.
    static func publicKey(_ number: UInt8) -> [UInt8] {
        // SubjectPublicKeyInfo of an RSA key with a modulus that is none: it is never used.
        let modulus = [UInt8](repeating: 0xA0 | (number & 0x0F), count: 255) + [number | 1]
        return try! PublicKey(rsaModulus: modulus, exponent: [1, 0, 1]).subjectPublicKeyInfo
    }

    static func kid(_ number: UInt8) -> String { try! PublicKey(subjectPublicKeyInfo: publicKey(number)).kid }

    static func key(_ number: UInt8, _ state: KeyState, lost: Bool = false) -> SigningKey {
        SigningKey(
            kid: kid(number), keyID: keyID(number), algorithm: .rs256, publicKey: publicKey(number), state: state,
            publishedAt: moment, knownFrom: moment, expiresAt: state == .retiring ? moment + 60 : nil,
            lostAt: lost ? moment : nil)
    }

    static func issuer(named name: String = "demo", standby: Bool = true, _ keys: SigningKey...) -> Issuer {
        Issuer(
            name: IssuerName(name)!, generation: 5, createdAt: moment, changedAt: moment,
            settings: IssuerSettings(standby: standby), profile: .disabled, acceptedIssuers: [], ring: KeyRing(keys: keys),
            lastRotationAt: nil, maxAgeHorizon: nil)
    }

    static func intent(_ number: UInt8, isTombstone: Bool = false) -> GenerationIntent {
        GenerationIntent(
            keyID: keyID(number), issuer: demo, algorithm: .rs256, recordedAt: moment, isTombstone: isTombstone)
    }

    static func destruction(_ number: UInt8, isKnown: Bool = true, isStray: Bool = false) -> PendingDestruction {
        PendingDestruction(
            keyID: keyID(number), issuer: demo, requestedAt: moment, publicKey: isKnown ? publicKey(number) : nil,
            isStray: isStray)
    }

    /// A pair on the token; `privateKeys` or `publicKeys` of 0 for half of one.
    static func pair(
        _ number: UInt8, issuer: String = "demo", deployment: String = deployment, privateKeys: Int = 1, publicKeys: Int = 1,
        publicKeyOf other: UInt8? = nil
    ) -> TokenInventory.Entry {
        TokenInventory.Entry(
            keyID: keyID(number), label: KeyLabel(deployment: deployment, issuer: IssuerName(issuer)!),
            privateKeys: privateKeys, publicKeys: publicKeys, publicKey: publicKeys == 1 ? publicKey(other ?? number) : nil)
    }

    var plan: ReconciliationPlan {
        let inventory = TokenInventory(
            token: Self.token, tokenGeneration: 1,
            entries: Dictionary(uniqueKeysWithValues: entries.map { ($0.keyID, $0) }), withoutID: 0, foreign: 0)
        let known =
            Set(issuers.flatMap { $0.ring.keys.map(\.keyID) }).union(intents.map(\.keyID)).union(destructions.map(\.keyID))
            .union(quarantined.map(\.keyID)).union(recorded)
        return ReconciliationPlan(
            inventory,
            StoreContents(
                issuers: issuers, intents: intents, destructions: destructions, lastChange: nil, quarantined: quarantined,
                token: knownToken, copiedAt: copiedAt), recognised: known.intersection(entries.map(\.keyID)),
            deployment: Self.deployment, at: Self.moment)
    }
}

@Suite("What token and store ask for, put side by side")
struct ReconciliationPlanTests {
    @Test("a token is proven by one public key of a published key, and by nothing else")
    func proof() {
        let ring = Scene.issuer(Scene.key(1, .active), Scene.key(2, .standby), Scene.key(3, .revoked))
        #expect(Scene(issuers: [ring], entries: [Scene.pair(2)]).plan.isProven)
        #expect(!Scene(issuers: [ring], entries: [Scene.pair(1, publicKeyOf: 9)]).plan.isProven, "another pair")
        #expect(!Scene(issuers: [ring], entries: [Scene.pair(3)]).plan.isProven, "a key that has ended")
        #expect(!Scene(issuers: [ring]).plan.isProven, "nothing")
        #expect(!Scene(entries: [Scene.pair(1)]).plan.isProven, "a store without issuers")
    }

    @Test("a key lost with a former token is neither missing nor a proof")
    func lost() {
        let ring = Scene.issuer(Scene.key(1, .retiring, lost: true), Scene.key(2, .active))
        let onNew = Scene(issuers: [ring], entries: [Scene.pair(2)]).plan
        #expect(onNew.isProven && onNew.missing.isEmpty)
        let onOld = Scene(issuers: [ring], entries: [Scene.pair(1)]).plan
        #expect(!onOld.isProven && onOld.missing.map(\.keyID) == [Scene.keyID(2)])
    }

    @Test(
        "a cut-off generation: wanted and whole enters the ring, else goes; absent leaves a tombstone",
        arguments: [
            (Scene.pair(7), true, false, ReconciliationPlan.IntentStep.adopt), (Scene.pair(7), false, false, .abandon),
            (Scene.pair(7, privateKeys: 0), true, false, .abandon), (Scene.pair(7, publicKeys: 0), true, false, .abandon),
            (Scene.pair(7), true, true, .abandon), (nil, true, false, .bury), (nil, true, true, .keep),
        ] as [(TokenInventory.Entry?, Bool, Bool, ReconciliationPlan.IntentStep)])
    func intent(_ entry: TokenInventory.Entry?, isWanted: Bool, isTombstone: Bool, _ step: ReconciliationPlan.IntentStep) {
        let ring = isWanted ? Scene.issuer(Scene.key(1, .active)) : Scene.issuer(standby: false, Scene.key(1, .active))
        let scene = Scene(
            issuers: [ring], intents: [Scene.intent(7, isTombstone: isTombstone)],
            entries: [Scene.pair(1)] + [entry].compactMap(\.self))
        #expect(scene.plan.intents.map(\.step) == [step])
        #expect(scene.plan.quarantine.isEmpty)
    }

    @Test("of two wanted keys one becomes the standby key")
    func oneStandby() {
        let scene = Scene(
            issuers: [Scene.issuer(Scene.key(1, .active))], intents: [Scene.intent(7), Scene.intent(8)],
            entries: [Scene.pair(1), Scene.pair(7), Scene.pair(8)])
        #expect(scene.plan.intents.map(\.step) == [.adopt, .abandon])
    }

    /// A pending destruction, what the token shows of it, whether it shows another key of the store, and what follows.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var row = Scene.destruction(7)
        var entry: TokenInventory.Entry?
        var isProven = true
        let step: ReconciliationPlan.DestructionStep
    }

    static let cases: [Case] = [
        Case(testDescription: "there", entry: Scene.pair(7), step: .destroy),
        Case(testDescription: "there, which itself proves the token", entry: Scene.pair(7), isProven: false, step: .destroy),
        Case(testDescription: "another pair", entry: Scene.pair(7, publicKeyOf: 9), step: .leave),
        Case(
            testDescription: "another pair on an unproven token", entry: Scene.pair(7, publicKeyOf: 9), isProven: false,
            step: .leave),
        Case(
            testDescription: "never seen, there", row: Scene.destruction(7, isKnown: false), entry: Scene.pair(7), step: .destroy),
        Case(
            testDescription: "never seen, there on an unproven token", row: Scene.destruction(7, isKnown: false),
            entry: Scene.pair(7), isProven: false, step: .wait),
        Case(testDescription: "only its private half", entry: Scene.pair(7, publicKeys: 0), step: .destroy),
        Case(
            testDescription: "only its private half on an unproven token", entry: Scene.pair(7, publicKeys: 0), isProven: false,
            step: .wait),
        Case(testDescription: "gone", step: .conclude),
        Case(testDescription: "gone from an unproven token", isProven: false, step: .wait),
        Case(testDescription: "on another token, perhaps", row: Scene.destruction(7, isStray: true), step: .wait),
        Case(testDescription: "stray, and there", row: Scene.destruction(7, isStray: true), entry: Scene.pair(7), step: .destroy),
    ]

    @Test("a pending destruction", arguments: cases)
    func destruction(_ example: Case) {
        let scene = Scene(
            issuers: [Scene.issuer(Scene.key(1, .active))], destructions: [example.row],
            entries: [example.entry].compactMap(\.self) + (example.isProven ? [Scene.pair(1)] : []))
        #expect(scene.plan.destructions.map(\.step) == [example.step])
    }

    @Test(
        "without an issuer, a key that is gone counts as destroyed on the token that last had the keys, and on no other",
        arguments: [(Scene.token, true), (TokenIdentity(label: "t", serial: "2"), false), (nil, false)]
            as [(TokenIdentity?, Bool)])
    func emptyStore(_ known: TokenIdentity?, isConcluded: Bool) {
        let scene = Scene(destructions: [Scene.destruction(7)], knownToken: known)
        #expect(scene.plan.destructions.map(\.step) == [isConcluded ? .conclude : .wait])
    }

    @Test("private keys the store has never heard of put their issuer in quarantine, whether it is there or not")
    func unknownKeys() {
        let scene = Scene(
            issuers: [Scene.issuer(Scene.key(1, .active)), Scene.issuer(named: "other", Scene.key(2, .active))],
            entries: [Scene.pair(1), Scene.pair(2), Scene.pair(7), Scene.pair(8, issuer: "gone"), Scene.pair(9)])
        #expect(scene.plan.quarantine == [Scene.demo: .unknownKeys(2), IssuerName("gone")!: .unknownKeys(1)])
        #expect(scene.plan.unknown.map(\.kid) == [Scene.kid(7), Scene.kid(8), Scene.kid(9)])
    }

    @Test(
        "once the store is known to be older, issuers that lack keys are in quarantine too; missing keys alone put nobody there")
    func missingKeys() {
        let issuers = [
            Scene.issuer(Scene.key(1, .active)), Scene.issuer(named: "other", Scene.key(2, .active), Scene.key(3, .standby)),
        ]
        let alone = Scene(issuers: issuers, entries: [Scene.pair(1), Scene.pair(2)]).plan
        #expect(alone.quarantine.isEmpty && alone.missing.map(\.keyID) == [Scene.keyID(3)])
        let older = Scene(issuers: issuers, entries: [Scene.pair(1), Scene.pair(2), Scene.pair(7)]).plan
        #expect(older.quarantine == [Scene.demo: .unknownKeys(1), IssuerName("other")!: .missingKeys(1)])
    }

    @Test("what is no private key of this deployment puts nobody in quarantine")
    func harmless() {
        let scene = Scene(
            issuers: [Scene.issuer(Scene.key(1, .active))],
            quarantined: [
                QuarantinedKey(keyID: Scene.keyID(6), kid: nil, issuer: Scene.demo, publicKey: nil, since: Scene.moment)
            ], recorded: [Scene.keyID(5)],
            entries: [
                Scene.pair(1), Scene.pair(4, privateKeys: 0), Scene.pair(5), Scene.pair(6), Scene.pair(7, deployment: "d2"),
                Scene.pair(8, deployment: "d2"), Scene.pair(9, deployment: "d3"),
            ])
        #expect(scene.plan.quarantine.isEmpty)
        #expect(scene.plan.unknown.map(\.keyID) == [Scene.keyID(4)])
        #expect(scene.plan.otherDeployments == ["d2": 2, "d3": 1])
    }

    @Test("a copy puts every issuer in quarantine, whatever the token shows")
    func copy() {
        let scene = Scene(
            issuers: [Scene.issuer(Scene.key(1, .active)), Scene.issuer(named: "other", Scene.key(2, .active))],
            copiedAt: Scene.moment, entries: [Scene.pair(1), Scene.pair(2), Scene.pair(7, issuer: "late")])
        #expect(Set(scene.plan.quarantine.keys.map(\.text)) == ["demo", "other", "late"])
        #expect(scene.plan.quarantine.values.allSatisfy { $0 == .copiedStore(Scene.moment) })
    }
}
