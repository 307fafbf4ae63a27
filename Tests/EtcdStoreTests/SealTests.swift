import EtcdSupport
import Foundation
import IssuerStore
import KeyLifecycle
import Platform
import TestSupport
import Testing

@testable import EtcdStore

/// Seals as a token does, for tests: whoever holds none of these cannot make one.
private final class TestSealing: RecordSealing {
    struct Away: Error {}

    private struct State {
        var hasKey = false
        var isAway = false
        /// Statements by seal.
        var made: [String: [UInt8]] = [:]
        var questions = 0
    }

    private let state = Locked(State())

    var questions: Int { state.withLock { $0.questions } }

    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    func prepare() async throws -> Bool {
        try state.withLock { state in
            guard !state.isAway else { throw Away() }
            defer { state.hasKey = true }
            return !state.hasKey
        }
    }

    func seals(for statements: [[UInt8]]) async throws -> [String] {
        _ = try await prepare()
        return state.withLock { state in
            statements.map { statement in
                let seal = "test:\(SystemRandom.hexadecimal(bytes: 8))"
                state.made[seal] = statement
                return seal
            }
        }
    }

    func judge(_ records: [SealedStatement]) async throws -> [SealVerdict] {
        try state.withLock { state in
            guard !state.isAway else { throw Away() }
            state.questions += records.count
            return records.map { record in
                if record.seal.isEmpty { return state.hasKey ? .wrong : .unsealed }
                guard record.seal.hasPrefix("test:") else { return .unknownKey }
                return state.made[record.seal] == record.statement ? .genuine : .wrong
            }
        }
    }
}

@Suite("Records in etcd that carry a seal", .enabled(if: EtcdServer.isInstalled))
struct SealTests {
    /// Agents `a` and `b` with one token, and two issuers, each of which has a key that has ended.
    private struct Scene {
        let scene: StoreScene
        let sealing: TestSealing
        let other: EtcdIssuerStore
        /// As it was at each generation.
        let earlier: [[String: String]]
        let issuers: [Issuer]

        var store: EtcdIssuerStore { scene.store }

        /// The first issuer with another lifetime of its JWTs.
        func updating(_ issuer: Issuer? = nil, lifetime: Int) throws -> IssuerChange {
            let issuer = issuer ?? issuers[0]
            var settings = issuer.settings
            settings.lifetime = lifetime
            return try #require(
                try issuer.updating(IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false), at: .at(30))
            )
        }

        func put(_ key: String, _ text: String?) async throws {
            try await scene.gateway.put(store.layout.base + key, Array(try #require(text).utf8))
        }

        func delete(_ key: String) async throws {
            let key = EtcdKeyRange.key(store.layout.base + key)
            _ = try await scene.gateway.carryOut(EtcdTransaction(success: [.delete(key)]))
        }
    }

    private func withScene(_ body: (Scene) async throws -> Void) async throws {
        try await withStoreScene { scene in
            let (sealing, other) = (TestSealing(), try await scene.opened())
            for store in [scene.store, other] { store.use(sealing, isJudging: true) }
            var earlier: [[String: String]] = []
            var issuers: [Issuer] = []
            for (name, key) in [(IssuerName.demo, UInt8(1)), (.other, 11)] {
                let first = try await scene.store.create(name, key: key)
                earlier.append(try await scene.raw())
                try await scene.store.record(.number(key + 1, for: name))
                let second = try await scene.store.publish(first, key + 1)
                earlier.append(try await scene.raw())
                issuers.append(
                    try await scene.store.apply(
                        second.executing(second.planningRevocation(of: "kid-\(key)", at: .at(9), canGenerate: false))))
                earlier.append(try await scene.raw())
            }
            try await body(Scene(scene: scene, sealing: sealing, other: other, earlier: earlier, issuers: issuers))
        }
    }

    @Test("what agents write is believed by each, and asked about once")
    func genuine() async throws {
        try await withScene { scene in
            for store in [scene.store, scene.other] {
                let view = try await store.view()
                #expect(view.contents.issuers == scene.issuers && view.unreadable.isEmpty && view.unverified.isEmpty)
            }
            let questions = scene.sealing.questions
            try await scene.store.noteToken(TokenIdentity(label: "t", serial: "1"))
            _ = try await scene.other.view()
            #expect(scene.sealing.questions == questions)
            #expect(try await scene.scene.raw()["issuers/demo"]?.contains(#""seal":"test:"#) == true)
            #expect(try await scene.store.issuersWithoutSeal().isEmpty)
        }
    }

    @Test("what somebody without a session writes is not believed, by an agent that runs and by one that starts")
    func injected() async throws {
        try await withScene { scene in
            for store in [scene.store, scene.other] { _ = try await store.view() }
            let ways = [
                "foreign key", "swapped", "old", "old as a whole", "old of this generation", "no seal", "ended key as it was",
                "settings",
            ]
            for way in ways { try await inject(way, scene) }
        }
    }

    private func inject(_ what: String, _ scene: Scene) async throws {
        let raw = try await scene.scene.raw()
        switch what {
        case "foreign key": try await scene.scene.edit("issuers/demo", "kid-2", "kid-9")
        case "swapped":
            try await scene.put("issuers/demo", raw["issuers/other"])
            try await scene.put("issuers/other", raw["issuers/demo"])
        case "old": try await scene.put("issuers/demo", scene.earlier[1]["issuers/demo"])
        case "old as a whole":
            try await scene.put("issuers/demo", scene.earlier[1]["issuers/demo"])
            try await scene.delete("ended/demo/kid-1")
        case "old of this generation":
            let old = try #require(scene.earlier[1]["issuers/demo"])
            let (was, now) = (scene.issuers[0].generation - 1, scene.issuers[0].generation)
            try await scene.put(
                "issuers/demo", old.replacingOccurrences(of: #""generation":\#(was)"#, with: #""generation":\#(now)"#))
        case "no seal":
            let record = try #require(raw["issuers/demo"])
            let seal = try #require(record.firstRange(of: #/"seal":"[^"]*"/#))
            try await scene.put("issuers/demo", record.replacingCharacters(in: seal, with: #""seal":"""#))
        case "ended key as it was":
            try await scene.scene.edit(
                "ended/demo/kid-1", #""knownFrom":\#(Timestamp.at(0).seconds)"#, #""knownFrom":\#(Timestamp.at(1).seconds)"#)
        default: try await scene.scene.edit("issuers/demo", #""maximumLifetime":86400"#, #""maximumLifetime":86399"#)
        }
        let fresh = try await scene.scene.opened(by: "c-\(what.replacing(" ", with: "-"))")
        fresh.use(scene.sealing, isJudging: true)
        let untouched = what == "swapped" ? [] : [scene.issuers[1]]
        for store in [scene.store, scene.other, fresh] {
            let view = try await store.view()
            #expect(view.contents.issuers.filter { $0.name == .other } == untouched, "\(what)")
            if what == "old as a whole", store.agent != fresh.agent {
                // Its seal is right, and this machine has seen more.
                #expect(view.regressions.count == 1)
            } else if what != "old as a whole" {
                #expect(view.unreadable[.demo]?.isEmpty == false, "\(what)")
                #expect(view.contents.issuers.allSatisfy { $0.name != .demo }, "\(what)")
                #expect(await code { _ = try await store.contents() } != nil)
            }
        }
        // The record as it was is believed again.
        for (key, value) in raw where key.hasPrefix("issuers/") || key.hasPrefix("ended/") { try await scene.put(key, value) }
        for store in [scene.store, scene.other, fresh] {
            #expect(try await store.view().contents.issuers == scene.issuers, "\(what)")
        }
    }

    @Test("a genuine record of the same generation that is another one than was seen is an old one")
    func otherBranch() async throws {
        try await withScene { scene in
            let before = try await scene.scene.raw()
            let taken = try await scene.store.apply(scene.updating(lifetime: 900))
            #expect(try await scene.other.view().contents.issuers[0] == taken)
            // One that has seen nothing of it goes on from what was put back.
            try await scene.put("issuers/demo", before["issuers/demo"])
            let fresh = try await scene.scene.opened(by: "d")
            fresh.use(scene.sealing, isJudging: true)
            let branch = try await fresh.apply(scene.updating(lifetime: 901))
            #expect(branch.generation == taken.generation)
            #expect(try await scene.other.view().unreadable[.demo]?.contains("still of generation") == true)
        }
    }

    @Test("while the token is away what is known stays, what is new waits, and what did not change needs no token")
    func away() async throws {
        try await withScene { scene in
            _ = try await scene.other.view()
            let changed = try await scene.store.apply(scene.updating(lifetime: 900))
            scene.sealing.setAway(true)
            let view = try await scene.other.view()
            #expect(view.contents.issuers == [scene.issuers[1]])
            #expect(view.unverified == [.demo: changed] && view.unreadable.isEmpty && view.regressions.isEmpty)
            #expect(await code { _ = try await scene.other.apply(scene.updating(changed, lifetime: 1_000)) } == .unavailable)
            scene.sealing.setAway(false)
            let later = try await scene.other.view()
            #expect(later.contents.issuers == [changed, scene.issuers[1]] && later.unverified.isEmpty)
        }
    }

    @Test(
        "an operator's decision is believed when a session with the token has sealed it, and asked about again while none can tell"
    )
    func decisions() async throws {
        try await withScene { scene in
            for store in [scene.store, scene.other] { _ = try await store.view() }
            let raw = try await scene.scene.raw()
            let (now, earlier) = (try #require(raw["issuers/demo"]), try #require(scene.earlier[1]["issuers/demo"]))
            let ended = try #require(raw["ended/demo/kid-1"])
            try await scene.scene.edit("meta", #""epoch":1"#, #""epoch":7"#)
            try await scene.put("issuers/demo", earlier)
            try await scene.delete("ended/demo/kid-1")
            let generation = scene.issuers[0].generation
            let forged = try await scene.other.view()
            #expect(
                Set(forged.regressions) == [
                    .decision(known: 1, now: 7), .generation(issuer: "demo", known: generation, now: generation - 1),
                ])
            // Nothing of that is remembered.
            try await scene.put("meta", raw["meta"])
            try await scene.put("issuers/demo", now)
            try await scene.put("ended/demo/kid-1", ended)
            #expect(try await scene.other.view().regressions.isEmpty)

            let operators = try await scene.scene.opened(by: "o")
            operators.use(scene.sealing, isJudging: false)
            try await scene.put("issuers/demo", earlier)
            try await scene.delete("ended/demo/kid-1")
            try await operators.settle(Settlement(changes: [], token: TokenIdentity(label: "t", serial: "1")))
            scene.sealing.setAway(true)
            let unproven = try await scene.other.view()
            #expect(unproven.isDecisionUnproven && unproven.unverified.keys.map(\.text) == ["demo"])
            scene.sealing.setAway(false)
            let decided = try await scene.other.view()
            #expect(!decided.isDecisionUnproven && decided.regressions.isEmpty && decided.unreadable.isEmpty)
            #expect(decided.contents.issuers.map(\.generation) == [generation - 1, scene.issuers[1].generation])
        }
    }

    @Test("what was there before there was a key is sealed by the first agent, by several at once too")
    func first() async throws {
        try await withStoreScene { scene in
            let issuers = [try await scene.store.create(), try await scene.store.create(.other, key: 3)]
            let (sealing, other) = (TestSealing(), try await scene.opened())
            for store in [scene.store, other] { store.use(sealing, isJudging: true) }
            #expect(try await other.view().contents.issuers == issuers)
            #expect(try await other.issuersWithoutSeal() == [.demo, .other])
            async let one: Void = scene.store.sealAll()
            async let two: Void = other.sealAll()
            _ = try await (one, two)
            #expect(try await other.issuersWithoutSeal().isEmpty)
            for store in [scene.store, other] { #expect(try await store.view().contents.issuers == issuers) }
        }
    }

    @Test("what an operator decides takes records as they stand, and seals them")
    func decided() async throws {
        try await withScene { scene in
            try await scene.scene.edit("issuers/demo", #""maximumLifetime":86400"#, #""maximumLifetime":86399"#)
            #expect(try await scene.other.view().unreadable.keys.map(\.text) == ["demo"])
            let operators = try await scene.scene.opened(by: "o")
            operators.use(scene.sealing, isJudging: false)
            let taken = try await operators.contents().issuers
            #expect(taken.map(\.name) == [.demo, .other] && taken[0].settings.maximumLifetime == 86_399)
            #expect(try await operators.issuersWithoutSeal() == [.demo])
            try await operators.settle(Settlement(changes: [], token: TokenIdentity(label: "t", serial: "1")))
            let view = try await scene.other.view()
            #expect(view.contents.issuers == taken && view.unreadable.isEmpty && view.regressions.isEmpty)
        }
    }
}
