import EtcdSupport
import Foundation
import IssuerStore
import KeyLifecycle
import Platform
import TestSupport
import Testing

@testable import EtcdStore

@Suite("What several agents have of a store in etcd", .enabled(if: EtcdServer.isInstalled))
struct SharedStoreTests {
    private func member(_ id: String, _ incarnation: String = "1") -> FleetMember {
        FleetMember(id: id, incarnation: incarnation, host: "h", release: "1.0", staleness: 60)
    }

    @Test("what agents say of themselves lies where other releases read it, under leases but for the members")
    func layout() async throws {
        try await withStoreScene { scene in
            try await scene.store.join(member("a"))
            try await scene.store.renew(clock: 1_800_000_000_123)
            try await scene.store.report(MemberReport(revision: 7, draining: ["demo"], frontends: 1))
            _ = try await scene.store.claimStandby(of: .demo)
            let raw = try await scene.raw()
            #expect(Set(raw.keys) == ["agents/a", "claims/demo", "head", "members/a", "meta", "views/a"])
            #expect(raw["members/a"]?.contains(#""group":"1","host":"h","incarnation":"1","keeper":""#) == true)
            #expect(raw["agents/a"]?.contains(#""clock":1800000000123"#) == true)
            #expect(raw["views/a"]?.contains(#""draining":["demo"]"#) == true)
            #expect(raw["claims/demo"]?.contains(#""by":{"agent":"a","incarnation":"1"}"#) == true)
            let values = try await scene.gateway.read(.prefix(scene.prefix)).values
            let leases = Dictionary(grouping: values, by: \.lease).mapValues { Set($0.map(\.name)) }
            let base = scene.store.layout.base
            #expect(leases.count == 2 && leases[0] == Set(["head", "members/a", "meta"].map { base + $0 }))
            try await scene.store.leave()
            #expect(Set(try await scene.raw().keys) == ["head", "meta"])
        }
    }

    @Test("an issuer that somebody edited is named, and the others are shown")
    func unreadable() async throws {
        let edits: [(key: String, old: String, new: String)] = [
            ("issuers/demo", #""state":"active""#, #""state":"asleep""#), ("issuers/demo", #""keys":2"#, #""keys":3"#),
            ("issuers/demo", #""overlap":86400"#, #""overlap":1"#), ("issuers/demo", "{", "["),
            ("ended/demo/kid-1", #""position":0"#, #""position":1"#), ("ended/demo/kid-1", "{", ""),
            ("issuers/demo", #""phase":"settled""#, #""phase":"later""#),
        ]
        try await withStoreScene { scene in
            let demo = try await scene.store.create()
            try await scene.store.record(.number(2))
            let second = try await scene.store.publish(demo, 2)
            let issuer = try await scene.store.apply(
                second.executing(second.planningRevocation(of: "kid-1", at: .at(9), canGenerate: false)))
            let other = try await scene.store.create(.other, key: 3)
            let fresh = try await scene.opened()
            for (key, old, new) in edits {
                let before = try #require(try await scene.raw()[key])
                try await scene.edit(key, old, new)
                for store in [scene.store, fresh] {
                    let view = try await store.view()
                    #expect(view.contents.issuers == [other], "\(key) \(new)")
                    #expect(view.unreadable.keys.map(\.text) == ["demo"])
                    #expect(view.unreadable[.demo]?.contains("demo") == true)
                    #expect(view.regressions.isEmpty, "that it cannot be read is said already")
                    #expect(await code { _ = try await store.contents() } != nil)
                }
                // Nobody changes what cannot be believed; the others go on.
                #expect(await code { try await fresh.commit(issuer.deleting(at: .at(10)), fulfilling: []) } != nil)
                try await fresh.noteToken(TokenIdentity(label: "t", serial: "\(key)\(new)"))
                try await scene.gateway.put(scene.store.layout.base + key, Array(before.utf8))
                #expect(try await scene.store.view().contents.issuers == [issuer, other])
            }
            // Its ended keys tell of an issuer whose record somebody removed.
            _ = try await scene.gateway.carryOut(
                EtcdTransaction(success: [.delete(.key(scene.store.layout.issuer(.demo)))]))
            #expect(try await fresh.view().unreadable.keys.map(\.text) == ["demo"])
        }
    }

    @Test("a view that is kept up notices that the store has another past")
    func otherHistory() async throws {
        try await withStoreScene { scene in
            let issuer = try await scene.store.create()
            try await scene.store.record(.number(2))
            let reader = try await scene.opened(by: "reader")
            #expect(try await reader.view().contents.intents.map(\.keyID) == [.number(2)])
            // As after a restored snapshot that others have gone on from: what was read does not stand there any more, and its
            // revision is one that was passed.
            let view = try #require(reader.cache.withLock { $0 })
            var update = ViewUpdate(
                revision: view.revision, cluster: view.cluster, sentAt: 0,
                meta: try await scene.gateway.read(.key(scene.store.layout.meta)).values.first, head: nil)
            var head = HeadRecord()
            head.change = "another"
            update.head = EtcdKeyValue(
                key: Array(scene.store.layout.head.utf8), value: head.encoded(), created: 1, modified: view.revision, lease: 0)
            let other = try StoredView(update, layout: scene.store.layout)
            reader.cache.withLock { $0 = other }
            try await scene.store.bury(.number(2))
            let found = try await reader.view().contents
            #expect(found.issuers == [issuer] && found.intents.map(\.isTombstone) == [true])
        }
    }

    @Test("a view that is kept up asks for little, and reads all again where revisions are not kept")
    func traffic() async throws {
        let server = try await EtcdServer.start()
        let paths = Locked<[String]>([])
        let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { request in
            paths.withLock { $0.append(request.path) }
            return try await Forwarder.pass(request, to: server.endpoint)
        }
        try await withStoreScene(at: server) { scene in
            for number in 0..<5 { try await scene.store.create(IssuerName("i\(number)")!, key: UInt8(number)) }
            try await ScriptedServer.run(script) { endpoint in
                try await EtcdGateway.with([endpoint]) { gateway in
                    let reader = try await EtcdIssuerStore.open(gateway, prefix: scene.prefix, user: scene.user("reader"))
                    func asked(_ body: () async throws -> Void) async throws -> Int {
                        let before = paths.withLock { $0.count }
                        try await body()
                        return paths.withLock { $0.count } - before
                    }
                    let first = try await reader.view()
                    var issuer = first.contents.issuers[0]
                    #expect(try await asked { _ = try await reader.view() } == 1)
                    try await scene.store.record(.number(9, for: issuer.name))
                    #expect(try await asked { _ = try await reader.view() } == 1)
                    issuer = try await scene.store.publish(issuer, 9)
                    // What was removed has to be found.
                    #expect(try await asked { _ = try await reader.view() } == 2)
                    for _ in 0..<3 { try await scene.store.noteToken(TokenIdentity(label: "t", serial: "\(UUID())")) }
                    let now = try await scene.store.head().head.revision
                    let compaction = URLRequestParts(
                        url: server.endpoint.url + "/v3/kv/compaction",
                        body: Array(#"{"revision":"\#(now)","physical":true}"#.utf8))
                    _ = try await compaction.send()
                    let view = try await reader.view()
                    #expect(view.contents.issuers[0] == issuer && view.contents.issuers.count == 5)
                }
            }
        }
        await server.stop()
    }

    @Test("what must not come back is remembered before it is shown, and the rest with the next word to the fleet")
    func remembering() async throws {
        try await withStoreScene { scene in
            try await scene.store.join(member("a"))
            try await scene.store.renew(clock: 1)
            let other = try await scene.opened()
            let demo = try await other.create()
            _ = try await scene.store.view()
            #expect(try scene.remembered().generations == ["demo": 1], "the first view of a start")
            try await other.record(.number(2))
            let second = try await other.publish(demo, 2)
            _ = try await scene.store.view()
            #expect(try scene.remembered().generations == ["demo": 1])
            try await scene.store.renew(clock: 2)
            #expect(try scene.remembered().generations == ["demo": 2])
            let file = try FileIdentity.of("\(scene.directory)/a")
            _ = try await scene.store.view()
            try await scene.store.renew(clock: 3)
            #expect(try FileIdentity.of("\(scene.directory)/a") == file, "nothing is new")
            let third = try await other.apply(
                second.executing(second.planningRevocation(of: "kid-1", at: .at(9), canGenerate: false)))
            _ = try await scene.store.view()
            #expect(try scene.remembered().generations == ["demo": 3], "a revocation")
            try await other.commit(third.deleting(at: .at(10)), fulfilling: [])
            try await other.create(.other, key: 5)
            _ = try await scene.store.view()
            #expect(try scene.remembered().generations == ["demo": 3, "other": 1], "a deletion")
        }
    }

    @Test("what went back is taken as it is once an operator has decided, and not before")
    func decided() async throws {
        try await withStoreScene { scene in
            let demo = try await scene.store.create()
            try await scene.store.record(.number(2))
            _ = try await scene.store.publish(demo, 2)
            _ = try await scene.store.view()
            try await scene.edit("issuers/demo", #""generation":2"#, #""generation":1"#)
            #expect(try await scene.store.view().regressions == [.generation(issuer: "demo", known: 2, now: 1)])
            let operating = try await scene.opened(by: "operator")
            try await operating.settle(Settlement(changes: [], token: TokenIdentity(label: "t", serial: "1")))
            #expect(try await scene.raw()["meta"]?.contains(#""epoch":2"#) == true)
            #expect(try await scene.store.view().regressions.isEmpty)
            let remembered = try scene.remembered()
            #expect(remembered.generations == ["demo": 1] && remembered.epoch == 2)
            // One that is of before that decision is an old store, whatever it says else.
            try await scene.edit("meta", #""epoch":2"#, #""epoch":1"#)
            #expect(try await !scene.store.view().regressions.isEmpty)
        }
    }

    @Test("an agent without a name of its own gets one that its machine keeps, and names that cannot be are refused")
    func names() async throws {
        try await withStoreScene { scene in
            let nameless = EtcdIssuerStore.User(agent: nil, incarnation: "1", memory: "\(scene.directory)/n")
            let first = try await EtcdIssuerStore.open(scene.gateway, prefix: scene.prefix, user: nameless)
            #expect(first.agent.utf8.count == 16)
            await first.close()
            let again = try await EtcdIssuerStore.open(scene.gateway, prefix: scene.prefix, user: nameless)
            #expect(again.agent == first.agent)
            for name in ["", "a/b", "a b", String(repeating: "x", count: 65)] {
                #expect(await code { _ = try await scene.opened(by: name) } == .unavailable)
            }
            #expect(await code { try await again.join(member("other")) } == .unavailable)
        }
    }

    @Test("a word that arrives late does not take the place of a later one")
    func lateWords() async throws {
        let server = try await EtcdServer.shared()
        try await withStoreScene { scene in
            // The first answer to each report is lost, so it is sent again, and once more at the very end.
            let sent = Locked<[ScriptedServer.Request]>([])
            let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { request in
                let answer = try await Forwarder.pass(request, to: server.endpoint)
                let name = Data(scene.store.layout.view("late").utf8).base64EncodedString()
                guard request.text.contains("request_put"), request.text.contains(name) else { return answer }
                let isFirst = sent.withLock { sent in
                    defer { sent.append(request) }
                    return !sent.contains { $0.text == request.text }
                }
                return isFirst ? [.close] : answer
            }
            try await ScriptedServer.run(script) { endpoint in
                try await EtcdGateway.with([endpoint]) { gateway in
                    let store = try await EtcdIssuerStore.open(gateway, prefix: scene.prefix, user: scene.user("late"))
                    try await store.join(member("late"))
                    for revision in 1...3 { try await store.report(MemberReport(revision: Int64(revision))) }
                    for request in sent.withLock({ $0 }) { _ = try await Forwarder.pass(request, to: server.endpoint) }
                    #expect(try await store.fleet().entries.first?.report?.revision == 3)
                }
            }
        }
    }
}
