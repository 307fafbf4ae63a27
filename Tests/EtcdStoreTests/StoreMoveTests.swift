import EtcdSupport
import Foundation
import IssuerStore
import KeyLifecycle
import Platform
import TestSupport
import Testing

@testable import EtcdStore

/// A move of everything a store can hold, between a file and etcd, cut off wherever it can be.
@Suite("A store is moved", .enabled(if: EtcdServer.isInstalled))
struct StoreMoveTests {
    enum Kind: String, CaseIterable { case sqlite, etcd }

    /// Two places, each of which may be either.
    private struct Scene {
        let directory: String
        let gateway: EtcdGateway
        let prefix: String

        var path: String { "\(directory)/store.db" }

        func place(_ kind: Kind, isReadOnly: Bool = false) -> any MovableStore {
            switch kind {
            case .sqlite: SQLiteMovableStore(path: path)
            case .etcd: EtcdMovableStore(gateway, prefix: prefix, user: user, reading: isReadOnly)
            }
        }

        var user: EtcdIssuerStore.User {
            EtcdIssuerStore.User(agent: "a", incarnation: "1", memory: "\(directory)/memory")
        }

        /// As an agent would open it.
        func open(_ kind: Kind) async throws -> any IssuerStorage {
            switch kind {
            case .sqlite: try SQLiteIssuerStore(path: path, tenant: nil, minted: nil)
            case .etcd: try await EtcdIssuerStore.open(gateway, prefix: prefix, user: user)
            }
        }

        func make(_ kind: Kind, _ deployment: Deployment = .fixture) async throws -> any IssuerStorage {
            switch kind {
            case .sqlite: return try SQLiteIssuerStore(path: path, tenant: nil, minted: deployment)
            case .etcd:
                try await EtcdIssuerStore.make(gateway, prefix: prefix, minted: deployment)
                return try await open(.etcd)
            }
        }
    }

    private func withScene(_ body: (Scene) async throws -> Void) async throws {
        let server = try await EtcdServer.shared()
        try await withTemporaryDirectory { directory in
            try await EtcdGateway.with([server.endpoint]) { gateway in
                _ = try await gateway.check()
                try await body(Scene(directory: directory, gateway: gateway, prefix: EtcdGateway.prefix()))
            }
        }
    }

    /// Something of everything: two issuers with keys in each state, a former one, intents and tombstones, destructions begun and
    /// carried out, keys in quarantine and lost, a token, starts, a refused PIN.
    private func fill(_ store: any IssuerStorage) async throws {
        var demo = try await store.create(.demo, key: 1, url: "https://oidc.example.com/t/demo/")
        try await store.record(.number(2))
        demo = try await store.publish(demo, 2)
        demo = try await store.apply(
            demo.executing(demo.planningRevocation(of: "kid-1", at: .at(9), canGenerate: false)))
        try await store.markDestroyed(.number(1), at: .at(10))
        try await store.record(.number(3))
        demo = try await store.publish(demo, 3)
        demo = try await store.apply(
            demo.executing(demo.planningRevocation(of: "kid-2", at: .at(19), canGenerate: false)))
        let other = try await store.create(.other, key: 20)
        try await store.commit(other.deleting(at: .at(30)), fulfilling: [])
        for number in UInt8(30)...34 { try await store.record(.number(number)) }
        for number in [UInt8(32), 30] { try await store.bury(.number(number)) }
        try await store.abandon(.number(33), publicKey: [9, 9], at: .at(41))
        try await store.abandon(.number(31), publicKey: nil, at: .at(40))
        try await store.strandDestructions()
        try await store.markDestroyed(.number(20), at: .at(50))
        try await store.noteAgents(["one", "two"])
        try await store.noteToken(TokenIdentity(label: "label", serial: "serial"))
        try await store.noteFrontends(3)
        try await store.setRefusedPIN(RefusedPIN(source: "file", returnValue: "CKR_PIN_INCORRECT", at: .at(60)))
    }

    private func check(_ export: StoreExport) {
        #expect(export.deployment == .fixture)
        #expect(export.issuers.map(\.name) == [.demo])
        #expect(export.issuers.first?.ring.keys.map(\.state) == [.revoked, .revoked, .active])
        #expect(Array(export.formerGenerations.keys) == [.other])
        #expect(export.intents.map(\.keyID) == [.number(30), .number(32), .number(34)])
        #expect(export.intents.map(\.isTombstone) == [true, true, false])
        #expect(export.destructions.map(\.keyID) == [.number(2), .number(33), .number(31)])
        #expect(export.destructions.allSatisfy { $0.isStray })
        #expect(export.gone[.number(1)] == .init(issuer: "demo", isLost: false, at: .at(10)))
        #expect(export.gone[.number(20)] == .init(issuer: "other", isLost: false, at: .at(50)))
        #expect(export.token == TokenIdentity(label: "label", serial: "serial"))
        #expect(export.agents == ["one", "two"] && export.frontends == 3)
        #expect(export.refusedPIN?.returnValue == "CKR_PIN_INCORRECT")
    }

    private func other(_ kind: Kind) -> Kind { kind == .sqlite ? .etcd : .sqlite }

    @Test("with everything that is in it, and there and back again it is the same", arguments: Kind.allCases)
    func thereAndBack(from kind: Kind) async throws {
        try await withScene { scene in
            try await fill(scene.make(kind))
            let (source, target) = (scene.place(kind), scene.place(other(kind)))
            let before = try await source.export()
            check(before)
            let move = try await StoreMove(from: source, to: target)
            #expect(move.finding == .begin && move.export == before)
            #expect(try await target.standing() == .missing, "looking changes nothing")
            try await move.run()
            #expect(try await target.export() == before)
            let moved = try await scene.open(other(kind))
            #expect(moved.deployment == .fixture)
            let known: Set<KeyID> = [.number(1), .number(2), .number(3), .number(20), .number(30), .number(31), .number(34)]
            #expect(try await moved.recognised(known.union([.number(99)])) == known)

            // It goes on there, and comes back with what has happened meanwhile.
            try await moved.record(.number(50))
            var demo = try #require(try await moved.contents().issuers.first)
            demo = try await moved.publish(demo, 50)
            await (moved as? EtcdIssuerStore)?.close()
            let back = try await StoreMove(from: scene.place(other(kind)), to: scene.place(kind))
            #expect(back.finding == .begin)
            try await back.run()
            let contents = try await scene.open(kind).contents()
            #expect(contents.issuers == [demo])
            #expect(try await scene.place(kind).export().gone == before.gone)
            let error = await #expect(throws: StoreError.self) { _ = try await scene.open(other(kind)) }
            #expect(error?.code == .moved)
        }
    }

    private struct CutOff: Error {}

    @Test("and is cut off at each step: no agent starts meanwhile, and going on ends in the same", arguments: Kind.allCases)
    func cutOff(from kind: Kind) async throws {
        var steps: [StoreMove.Step] = []
        try await withScene { scene in
            try await fill(scene.make(kind))
            try await StoreMove(from: scene.place(kind), to: scene.place(other(kind))).run { steps.append($0) }
        }
        #expect(steps.first == .begun && steps.suffix(2) == [.marked, .ended] && steps.count >= 4)
        for last in steps {
            try await withScene { scene in
                try await fill(scene.make(kind))
                let before = try await scene.place(kind).export()
                await #expect(throws: CutOff.self, "\(last)") {
                    try await StoreMove(from: scene.place(kind), to: scene.place(other(kind))).run { step in
                        if step == last { throw CutOff() }
                    }
                }
                await expectOne(scene, atMost: last == .marked ? 0 : 1)
                let again = try await StoreMove(from: scene.place(kind), to: scene.place(other(kind)))
                let expected: StoreMove.Finding =
                    switch last {
                    case .marked: .end
                    case .ended: .nothing
                    default: .goOn
                    }
                #expect(again.finding == expected, "\(last)")
                try await again.run()
                #expect(try await scene.place(other(kind)).export() == before, "\(last)")
                #expect(try await scene.place(other(kind)).standing() == .live(deployment: Deployment.fixture.id))
                await expectOne(scene, atMost: 1)
            }
        }
    }

    /// How many of the two places an agent would start on.
    private func expectOne(_ scene: Scene, atMost most: Int) async {
        var count = 0
        for kind in Kind.allCases where (try? await scene.open(kind)) != nil { count += 1 }
        #expect(count == most)
    }

    @Test("and what the source has changed since it was cut off comes over too", arguments: Kind.allCases)
    func changedMeanwhile(from kind: Kind) async throws {
        try await withScene { scene in
            try await fill(scene.make(kind))
            await #expect(throws: CutOff.self) {
                try await StoreMove(from: scene.place(kind), to: scene.place(other(kind))).run { step in
                    if case .copied(let part) = step, part == (kind == .sqlite ? 4 : 1) { throw CutOff() }
                }
            }
            let store = try await scene.open(kind)
            // The oldest of each kind goes, and another comes.
            try await store.abandon(.number(30), publicKey: nil, at: .at(70))
            try await store.markDestroyed(.number(2), at: .at(71))
            try await store.record(.number(60))
            try await store.forgetAgents(["one"])
            try await store.noteToken(TokenIdentity(label: "label", serial: "another"))
            _ = try await store.create(IssuerName("third")!, key: 61)
            let before = try await scene.place(kind).export()
            try await StoreMove(from: scene.place(kind), to: scene.place(other(kind))).run()
            #expect(try await scene.place(other(kind)).export() == before)
        }
    }

    @Test("by hundreds of everything, in transactions that etcd takes")
    func many() async throws {
        try await withScene { scene in
            let store = try await scene.make(.sqlite)
            for number in 0..<150 {
                let name = IssuerName("issuer-\(number)")!
                let keyID = KeyID(Array(repeating: UInt8(number), count: 15) + [1])!
                try await store.record(
                    GenerationIntent(keyID: keyID, issuer: name, algorithm: .rs256, recordedAt: .at(number)))
                let key = GeneratedKey(
                    keyID: keyID, kid: "kid-of-\(number)", specification: KeySpecification(.rs256, rsaBits: 2_048),
                    publicKey: [0x30, UInt8(number)])
                try await store.commit(
                    Issuer.creating(name, settings: IssuerSettings(), url: nil, firstKey: key, at: .at(number)),
                    fulfilling: [keyID])
                let abandoned = KeyID(Array(repeating: UInt8(number), count: 15) + [2])!
                try await store.record(
                    GenerationIntent(keyID: abandoned, issuer: name, algorithm: .rs256, recordedAt: .at(number)))
                try await store.abandon(abandoned, publicKey: nil, at: .at(1_000 - number))
            }
            let move = try await StoreMove(from: scene.place(.sqlite), to: scene.place(.etcd))
            #expect(move.export.summary.hasPrefix("150 issuers with 150 keys"))
            try await move.run()
            #expect(try await scene.place(.etcd).export() == move.export)
        }
    }

    @Test("as the copy that it is, which an operator still has to decide about", arguments: Kind.allCases)
    func copy(to kind: Kind) async throws {
        try await withScene { scene in
            try await fill(scene.make(other(kind)))
            let export = try await scene.place(other(kind)).export()
            let copy = "\(scene.directory)/copy.db"
            try SQLiteIssuerStore.make(of: export, at: copy, copiedAt: .at(500))
            var expected = export
            expected.copiedAt = .at(500)
            #expect(try await SQLiteMovableStore(path: copy).export() == expected)
            #expect(throws: StoreError(.unavailable, "", hint: "")) {
                try SQLiteIssuerStore.make(of: export, at: copy, copiedAt: .at(501))
            }
            guard kind == .etcd else { return }
            try await StoreMove(from: SQLiteMovableStore(path: copy), to: scene.place(.etcd)).run()
            let restored = try await scene.open(.etcd)
            #expect(try await restored.contents().copiedAt == .at(500))
            try await restored.settle(Settlement(changes: [], token: TokenIdentity(label: "t", serial: "1")))
            #expect(try await restored.contents().copiedAt == nil)
        }
    }

    @Test("only to a place that is empty or was left by it, and from one that counts", arguments: Kind.allCases)
    func refusals(from kind: Kind) async throws {
        try await withScene { scene in
            func refused(_ code: StoreError.Code, _ text: String) async {
                let error = await #expect(throws: StoreError.self) {
                    _ = try await StoreMove(from: scene.place(kind), to: scene.place(other(kind)))
                }
                #expect(error?.code == code && error?.message.contains(text) == true, "\(error?.message ?? "")")
                #expect(error?.hint.isEmpty == false)
            }
            await refused(.missing, "there is no store")
            try await fill(scene.make(kind))
            try await scene.place(other(kind)).beginMigration(of: Deployment(id: "ff", tenant: "t"))
            await refused(.conflict, "another deployment, ff")
        }
        try await withScene { scene in
            try await fill(scene.make(kind))
            try await StoreMove(from: scene.place(kind), to: scene.place(other(kind))).run()
            // From where it was, it cannot be moved elsewhere.
            let elsewhere = SQLiteMovableStore(path: "\(scene.directory)/elsewhere.db")
            let error = await #expect(throws: StoreError.self) { _ = try await StoreMove(from: scene.place(kind), to: elsewhere) }
            #expect(error?.code == .moved)
            #expect(
                error?.message.contains("has been moved to \(scene.place(other(kind)).place)") == true, "\(error?.message ?? "")")
            // Somebody made the source count again, and both went on.
            try await scene.place(kind).beginMigration(of: .fixture)
            try await scene.place(kind).endMigration()
            let both = await #expect(throws: StoreError.self) {
                _ = try await StoreMove(from: scene.place(kind), to: scene.place(other(kind)))
            }
            #expect(both?.code == .conflict && both?.message.contains("counts") == true)
            let moved = try await scene.open(other(kind))
            let demo = try #require(try await moved.contents().issuers.first)
            try await moved.record(.number(80))
            _ = try await moved.publish(demo, 80)
            try await scene.place(other(kind)).markMoved(to: "nowhere")
            let ahead = await #expect(throws: StoreError.self) {
                _ = try await StoreMove(from: scene.place(kind), to: scene.place(other(kind)))
            }
            #expect(
                ahead?.code == .conflict && ahead?.message.contains("moved on: the issuer demo") == true,
                "\(ahead?.message ?? "")")
        }
    }

    @Test("not by a look: neither etcd nor what this machine remembers changes")
    func look() async throws {
        try await withScene { scene in
            try await fill(scene.make(.sqlite))
            let move = try await StoreMove(from: scene.place(.sqlite), to: scene.place(.etcd, isReadOnly: true))
            #expect(move.finding == .begin)
            #expect(try await scene.gateway.read(.prefix(scene.prefix)).values.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: "\(scene.directory)/memory"))
        }
    }

    @Test("not from under an agent that has changed it since it was read")
    func changedUnderneath() async throws {
        try await withScene { scene in
            try await fill(scene.make(.etcd))
            let source = scene.place(.etcd)
            _ = try await source.export()
            try await scene.open(.etcd).record(.number(90))
            let error = await #expect(throws: StoreError.self) { try await source.markMoved(to: "there") }
            #expect(error?.code == .conflict)
            _ = try await scene.open(.etcd)
        }
    }
}
