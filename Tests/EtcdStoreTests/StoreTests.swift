import EtcdSupport
import Foundation
import IssuerStore
import KeyLifecycle
import Platform
import TestSupport
import Testing

@testable import EtcdStore

@Suite("A store in etcd", .enabled(if: EtcdServer.isInstalled))
struct StoreTests {
    @Test("it is made once, and one that was never made is missing")
    func making() async throws {
        try await withStoreScene { scene in
            await #expect(throws: StoreError(.conflict, "", hint: "")) {
                try await EtcdIssuerStore.make(
                    scene.gateway, prefix: scene.prefix, minted: Deployment(id: "ff", tenant: "t"))
            }
            let again = try await scene.opened()
            #expect(again.deployment == .fixture)
            let elsewhere = await #expect(throws: StoreError.self) {
                try await EtcdIssuerStore.open(scene.gateway, prefix: scene.prefix + "x", user: scene.user("c"))
            }
            #expect(elsewhere?.code == .missing)
            #expect(elsewhere?.hint.contains("privyseald init") == true)
            for prefix in ["", "/", "x", "/x/", "/a b"] {
                #expect(
                    await code { _ = try await EtcdIssuerStore.open(scene.gateway, prefix: prefix, user: scene.user("c")) } != nil
                )
            }
        }
    }

    @Test("the layout is what other releases read")
    func layout() async throws {
        try await withStoreScene { scene in
            let issuer = try await scene.store.create()
            try await scene.store.record(.number(2))
            let second = try await scene.store.publish(issuer, 2)
            _ = try await scene.store.apply(
                second.executing(second.planningRevocation(of: "kid-1", at: .at(9), canGenerate: false)))
            try await scene.store.record(.number(3))
            try await scene.store.noteAgents(["start"])
            try await scene.store.noteToken(TokenIdentity(label: "t", serial: "s"))
            let raw = try await scene.raw()
            let (one, two, three) = (KeyID.number(1), KeyID.number(2), KeyID.number(3))
            #expect(
                Set(raw.keys) == [
                    "destructions/\(one)", "ended/demo/kid-1", "head", "intents/\(three)", "issuers/demo", "keyids/\(one)",
                    "keyids/\(two)", "keyids/\(three)", "kids/kid-1", "kids/kid-2", "meta", "starts/start", "tokens/1",
                ])
            #expect(
                raw["meta"]?.contains(#""deployment":"\#(Deployment.fixture.id)","epoch":1,"oldest":1,"schema":1,"state":"live""#)
                    == true)
            #expect(raw["issuers/demo"]?.contains(#""phase":"settled""#) == true)
            #expect(raw["issuers/demo"]?.contains(#""rings":{"1":[{"#) == true)
            #expect(raw["issuers/demo"]?.contains(#""seal":"""#) == true)
            #expect(raw["intents/\(three)"]?.contains(#""by":{"agent":"a","incarnation":"1"}"#) == true)
            #expect(raw["keyids/\(one)"]?.contains(#""role":"destruction""#) == true)
            #expect(raw.values.allSatisfy { $0.utf8.count <= StoreLayout.valueLimit })
        }
    }

    @Test("head changes with everything that is committed, and with nothing else")
    func head() async throws {
        try await withStoreScene { scene in
            var heads = [try await scene.store.head().head]
            func isNew() async throws -> Bool {
                heads.append(try await scene.store.head().head)
                return heads[heads.count - 1] != heads[heads.count - 2]
            }
            let issuer = try await scene.store.create()
            #expect(try await isNew())
            try await scene.store.record(.number(2))
            #expect(try await isNew())
            try await scene.store.bury(.number(2))
            #expect(try await isNew())
            try await scene.store.bury(.number(2))
            #expect(try await isNew() == false, "it is a tombstone already")
            try await scene.store.probe()
            try await scene.store.setRefusedPIN(RefusedPIN(source: "s", returnValue: "r", at: .at(1)))
            try await scene.store.noteFrontends(3)
            #expect(try await isNew() == false)
            #expect(await code { try await scene.store.record(.number(1)) } == .conflict)
            #expect(try await isNew() == false, "a conflict has no effect")
            let view = try await scene.store.view()
            #expect(view.head == heads.last && view.contents.issuers == [issuer] && view.contents.frontends == 3)
            #expect(view.revision >= view.head.revision && view.sentAt > 0 && view.regressions.isEmpty)
        }
    }

    @Test("agents that commit at the same time lose against each other, and never a commit")
    func race() async throws {
        try await withStoreScene { scene in
            let stores = [scene.store, try await scene.opened(by: "b"), try await scene.opened(by: "c")]
            try await stores[0].create()
            let won = Locked(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for store in stores {
                    group.addTask {
                        for _ in 0..<20 {
                            let issuer = try #require(try await store.contents().issuers.first)
                            let change = try issuer.living(for: issuer.settings.lifetime == 1_000 ? 2_000 : 1_000)
                            do {
                                try await store.commit(change, fulfilling: [])
                                won.withLock { $0 += 1 }
                            } catch let error as StoreError where error.code == .conflict {}
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await stores[0].contents().issuers.first?.generation == 1 + won.withLock { $0 })
            #expect(won.withLock { $0 } >= 20)
        }
    }

    @Test("a commit whose answer is lost is found out about, and made once")
    func lostAnswers() async throws {
        let server = try await EtcdServer.shared()
        try await withTemporaryDirectory { directory in
            let losing = Locked(0)
            let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { request in
                let answer = try await Forwarder.pass(request, to: server.endpoint)
                let isChange = request.path == "/v3/kv/txn" && request.text.contains("request_put")
                let isLost =
                    isChange
                    && losing.withLock { left in
                        left -= 1
                        return left >= 0
                    }
                return isLost ? [.close] : answer
            }
            try await ScriptedServer.run(script) { endpoint in
                try await EtcdGateway.with([endpoint]) { gateway in
                    let prefix = EtcdGateway.prefix()
                    losing.withLock { $0 = 1 }
                    try await EtcdIssuerStore.make(gateway, prefix: prefix, minted: .fixture)
                    let user = EtcdIssuerStore.User(agent: "a", incarnation: "1", memory: "\(directory)/a")
                    let store = try await EtcdIssuerStore.open(gateway, prefix: prefix, user: user)
                    // One is lost; as many as the gateway asks in one call; one more than that.
                    for (number, lost) in [1, 2, 3].enumerated() {
                        let name = IssuerName("i\(number)")!
                        losing.withLock { $0 = lost }
                        try await store.record(.number(UInt8(number + 1), for: name))
                        let change = try Issuer.creating(
                            name, settings: IssuerSettings(), url: nil, firstKey: .number(UInt8(number + 1)), at: .at(0))
                        losing.withLock { $0 = lost }
                        try await store.commit(change, fulfilling: [.number(UInt8(number + 1))])
                        #expect(try await store.contents().issuers.last == change.issuer)
                    }
                    losing.withLock { $0 = 1_000 }
                    #expect(await code { try await store.record(.number(9)) } == .undecided)
                    losing.withLock { $0 = 0 }
                    #expect(try await store.recognised([.number(9)]) == [.number(9)])
                }
            }
        }
    }

    /// What becomes of a commit that another agent's overtake, and whose answer is lost.
    enum Overtaken: String, CaseIterable, Sendable {
        case once, often, notArrived, forgotten, deleted
    }

    @Test("whether a commit was made is found out also when others have overwritten it since", arguments: Overtaken.allCases)
    func overwrittenCommit(fate: Overtaken) async throws {
        let server = try await EtcdServer.start()
        try await withStoreScene(at: server) { scene in
            let issuer = try await scene.store.create()
            let isLost = Locked(false)
            let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { request in
                let isChange = request.path == "/v3/kv/txn" && request.text.contains("request_put")
                guard isChange,
                    !isLost.withLock({ wasLost in
                        defer { wasLost = true }; return wasLost
                    })
                else {
                    return try await Forwarder.pass(request, to: server.endpoint)
                }
                if fate != .notArrived { _ = try await Forwarder.pass(request, to: server.endpoint) }
                for number in 1...(fate == .often ? 5 : 1) {
                    let now = try #require(try await scene.store.contents().issuers.first)
                    let change = try fate == .deleted ? now.deleting(at: .at(2)) : now.living(for: 2_000 + number)
                    try await scene.store.commit(change, fulfilling: [])
                }
                if fate == .forgotten {
                    let now = try await scene.gateway.read(.key("k")).revision
                    _ = try await raw(server.endpoint, "/v3/kv/compaction", #"{"revision":"\#(now)","physical":true}"#)
                }
                return [.close]
            }
            try await ScriptedServer.run(script) { endpoint in
                try await EtcdGateway.with([endpoint]) { gateway in
                    let other = try await EtcdIssuerStore.open(gateway, prefix: scene.prefix, user: scene.user("b"))
                    let change = try issuer.living(for: 1_000)
                    let outcome = await code {
                        let revision = try await other.commit(change, fulfilling: [])
                        #expect(revision != nil)
                    }
                    switch fate {
                    case .once, .often: #expect(outcome == nil)
                    case .notArrived: #expect(outcome == .conflict)
                    case .forgotten, .deleted: #expect(outcome == .undecided)
                    }
                }
            }
            #expect(isLost.withLock { $0 })
        }
    }

    @Test("a store that is being moved, has been moved or is recovered is not used, nor one of newer releases")
    func states() async throws {
        let states: [(String, String, StoreError.Code, String)] = [
            (#""state":"live""#, #""state":"migrating""#, .moved, "move"),
            (#""state":"live""#, #""state":"copied""#, .moved, "moved"),
            (#""state":"live""#, #""state":"recovering""#, .unavailable, "recovery"),
            (#""state":"live""#, #""state":"dreaming""#, .newerSchema, "dreaming"),
            (#""oldest":1"#, #""oldest":2"#, .newerSchema, "newer"), (#""schema":1"#, #""schema":2"#, .newerSchema, "newer"),
        ]
        for (old, new, expected, word) in states {
            try await withStoreScene { scene in
                let issuer = try await scene.store.create()
                try await scene.edit("meta", old, new)
                let opening = await #expect(throws: StoreError.self) { try await scene.opened() }
                #expect(opening?.code == expected)
                let text = [opening?.message, opening?.hint].compactMap(\.self).joined(separator: " ")
                #expect(text.contains(word))
                // Nor by an agent that has it open.
                #expect(await code { try await scene.store.commit(issuer.deleting(at: .at(1)), fulfilling: []) } == expected)
                #expect(await code { try await scene.store.record(.number(7)) } == expected)
                #expect(await code { _ = try await scene.store.contents() } == expected)
                #expect(await code { try await scene.store.checkPlace() } == expected)
                if new.contains("migrating") { _ = try await scene.opened(admitting: [.migrating]) }
            }
        }
    }

    @Test(
        "while a command is alone with the store no agent enters, begins or changes anything; it goes on, or gives up if nothing has come of it"
    )
    func alone() async throws {
        try await withStoreScene { scene in
            try await scene.store.create()
            let waiting = try await scene.opened()
            let command = try await scene.opened(by: "command", admitting: [.live, .recovering])
            let begun = try #require(try await command.beginRecovery())
            #expect(await code { _ = try await scene.opened(by: "c") } == .unavailable)
            let member = FleetMember(id: "b", incarnation: "1", host: "b", release: "1", staleness: 60)
            #expect(await code { try await waiting.join(member) } == .unavailable)
            #expect(await code { _ = try await waiting.view() } == .unavailable)
            #expect(await code { try await waiting.record(.number(7)) } == .unavailable)
            try await command.record(.number(8))
            // By the same command again, which was cut off: it has not begun it and does not give it up.
            #expect(try await command.beginRecovery() == nil)
            try await command.endRecovery(begun)
            try await waiting.join(member)
            _ = try await waiting.view()

            // What has been done in part is not given up.
            let again = try #require(try await command.beginRecovery())
            try await scene.edit("meta", "\"epoch\":\(again)", "\"epoch\":\(again + 1)")
            try await command.endRecovery(again)
            #expect(await code { _ = try await waiting.view() } == .unavailable)
            let token = TokenIdentity(label: "t", serial: "1")
            try await command.settle(Settlement(changes: [], token: token))
            #expect(try await waiting.view().contents.token == token)
        }
    }

    @Test("two deployments under one prefix, and another one than before, are refused")
    func deployments() async throws {
        try await withStoreScene { scene in
            let other = "\(scene.prefix)/1/ffff/meta"
            try await scene.gateway.put(other, [])
            let both = await #expect(throws: StoreError.self) { try await scene.opened() }
            #expect(both?.code == .displaced)
            #expect(both?.message.contains("ffff") == true)
            // One that comes while an agent runs.
            #expect(
                await scene.store.troubles().contains { $0.message.contains("two deployments") && $0.message.contains("ffff") })
            _ = try await scene.gateway.carryOut(EtcdTransaction(success: [.delete(.prefix(scene.prefix))]))
            #expect(await code { try await scene.store.checkPlace() } == .displaced)
            #expect(await code { _ = try await scene.store.save() } == .displaced)
            #expect(await code { _ = try await scene.store.head() } == .displaced)
            #expect(await code { try await scene.store.record(.number(1)) } == .displaced)
            try await EtcdIssuerStore.make(scene.gateway, prefix: scene.prefix, minted: Deployment(id: "0f", tenant: "t"))
            await scene.store.close()
            let another = await #expect(throws: StoreError.self) { try await scene.opened(by: "a") }
            #expect(another?.code == .displaced)
            #expect(another?.message.contains("0f") == true)
            #expect(try await scene.opened(by: "new").deployment.id == "0f")
        }
    }

    @Test("an issuer whose record would be too large is refused, and nothing has happened")
    func tooLarge() async throws {
        try await withStoreScene { scene in
            var issuer = try await scene.store.create(url: "https://oidc.example/0/")
            var refused: StoreError?
            for number in 1...200 where refused == nil {
                let long = "https://oidc.example/\(String(repeating: "x", count: 400))/\(number)/"
                let update = IssuerUpdate(settings: nil, enabled: number % 2 == 0, freshURL: long, immediately: false)
                guard let change = try issuer.updating(update, at: .at(number)) else { continue }
                do {
                    try await scene.store.commit(change, fulfilling: [])
                    issuer = change.issuer!
                } catch let error as StoreError { refused = error }
            }
            #expect(refused?.code == .tooLarge)
            #expect(try await scene.store.contents().issuers == [issuer])
        }
    }

    @Test("what somebody edited is named, and what a later release adds is passed over")
    func edited() async throws {
        let edits: [(String, String, String)] = [
            ("issuers/demo", #""state":"active""#, #""state":"asleep""#), ("issuers/demo", #""keys":1"#, #""keys":2"#),
            ("issuers/demo", #""overlap":86400"#, #""overlap":1"#), ("issuers/demo", "{", "["),
            ("intents/\(KeyID.number(2))", #""issuer":"demo""#, #""issuer":"DEMO""#), ("meta", "{", ""),
            ("head", "{", "("),
        ]
        for (key, old, new) in edits {
            try await withStoreScene { scene in
                try await scene.store.create()
                try await scene.store.record(.number(2))
                try await scene.edit(key, old, new)
                let error = await #expect(throws: StoreError.self) { try await scene.store.contents() }
                #expect(error?.code == .corrupt, "\(key) \(new)")
                #expect(error?.message.contains("edited") == true)
            }
        }
        try await withStoreScene { scene in
            let issuer = try await scene.store.create()
            try await scene.edit("issuers/demo", #"{"accepted""#, #"{"later":[1],"accepted""#)
            for key in ["later/x", "agents/a", "views/a", "zzz"] {
                try await scene.gateway.put(scene.store.layout.base + key, [1])
            }
            #expect(try await scene.store.contents().issuers == [issuer])
            try await scene.store.record(.number(2))
            _ = try await scene.store.publish(issuer, 2)
        }
    }

    @Test("what went back since this machine last looked is said")
    func regressions() async throws {
        try await withStoreScene { scene in
            var issuer = try await scene.store.create()
            try await scene.store.create(.other, key: 2)
            try await scene.store.record(.number(3))
            issuer = try await scene.store.publish(issuer, 3)
            #expect(try await scene.store.view().regressions.isEmpty)
            let memory = try FileManager.default.attributesOfItem(atPath: "\(scene.directory)/a")
            #expect((memory[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            // As restored from a snapshot: one issuer older, one gone without a trace.
            try await scene.edit("issuers/demo", #""generation":2"#, #""generation":1"#)
            _ = try await scene.gateway.carryOut(
                EtcdTransaction(success: [.delete(.key(scene.store.layout.issuer(.other)))]))
            let expected: [StoreRegression] = [
                .generation(issuer: "demo", known: 2, now: 1), .generation(issuer: "other", known: 1, now: 0),
            ]
            #expect(try await scene.store.view().regressions == expected)
            await scene.store.close()
            #expect(try await scene.opened(by: "a").view().regressions == expected, "also after a restart")
            #expect(try await scene.opened(by: "b").view().regressions.isEmpty, "another machine has not seen it")
        }
    }

    @Test("a settlement that is too large for one transaction is made issuer by issuer, and goes on where it was cut off")
    func largeSettlement() async throws {
        try await withStoreScene { scene in
            let names = (0..<60).map { IssuerName("i\($0)")! }
            var issuers: [Issuer] = []
            for (number, name) in names.enumerated() {
                issuers.append(try await scene.store.create(name, key: UInt8(number)))
                try await scene.store.record(.number(UInt8(100 + number), for: name))
            }
            try await scene.store.record(.number(99))
            try await scene.store.abandon(.number(99), at: .at(1))
            let token = TokenIdentity(label: "new", serial: "2")
            func settlement(_ issuers: [Issuer]) throws -> Settlement {
                Settlement(
                    changes: try issuers.map { issuer in
                        let key = UInt8(100 + names.firstIndex(of: issuer.name)!)
                        return (try issuer.replacingToken(with: .number(key), at: .at(5)), [.number(key)])
                    }, token: token, lostAt: .at(5))
            }
            // One that does not fit is refused before anything of it is done.
            var wrong = try settlement(issuers)
            wrong.changes[50].fulfilling = [.number(1)]
            #expect(await code { try await scene.store.settle(wrong) } == .conflict)
            #expect(try await scene.store.contents().issuers.allSatisfy { $0.generation == 1 })

            // Cut off in the midst, as by the end of the process.
            let server = try await EtcdServer.shared()
            let left = Locked(30)
            let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { request in
                let isChange = request.path == "/v3/kv/txn" && request.text.contains("request_put")
                let isCut =
                    isChange
                    && left.withLock { left in
                        left -= 1
                        return left < 0
                    }
                return isCut ? [.close] : try await Forwarder.pass(request, to: server.endpoint)
            }
            try await ScriptedServer.run(script) { endpoint in
                try await EtcdGateway.with([endpoint]) { gateway in
                    let store = try await EtcdIssuerStore.open(gateway, prefix: scene.prefix, user: scene.user("x"))
                    #expect(await code { try await store.settle(try settlement(issuers)) } == .undecided)
                }
            }
            #expect(await code { _ = try await scene.opened() } == .unavailable)
            #expect(await code { try await scene.store.record(.number(200)) } == .unavailable)
            let again = try await scene.opened(admitting: [.live, .recovering])
            let between = try await again.contents()
            let rest = between.issuers.filter { $0.generation == 1 }
            #expect(rest.count == 31 && between.token == nil && between.destructions.count == 1)
            try await again.settle(try settlement(rest))
            let contents = try await scene.store.contents()
            #expect(contents.issuers.count == 60 && contents.issuers.allSatisfy { $0.generation == 2 })
            #expect(contents.token == token && contents.destructions.isEmpty && contents.intents.isEmpty)
            #expect(await code { try await scene.store.markDestroyed(.number(99), at: .at(6)) } == .conflict)
        }
    }

    @Test("hundreds of destructions are stranded, and only the last starts of agents are kept")
    func many() async throws {
        try await withStoreScene { scene in
            let ids = (0..<150).map { KeyID([UInt8](repeating: 0, count: 15) + [UInt8($0)])! }
            for id in ids {
                try await scene.store.record(
                    GenerationIntent(keyID: id, issuer: .demo, algorithm: .rs256, recordedAt: .at(0)))
                try await scene.store.abandon(id, at: .at(1))
            }
            try await scene.store.strandDestructions()
            #expect(try await scene.store.contents().destructions.filter(\.isStray).map(\.keyID) == ids)
            #expect(try await scene.store.recognised(Set(ids + [.number(9)])) == Set(ids))
            for round in 0..<3 { try await scene.store.noteAgents(Set((0..<100).map { "\(round)-\($0)" })) }
            let agents = try await scene.store.contents().agents
            #expect(agents.count == 256 && (0..<100).allSatisfy { agents.contains("2-\($0)") })
            try await scene.store.forgetAgents(agents)
            #expect(try await scene.store.contents().agents.isEmpty)
        }
    }

    @Test("what a machine remembers is taken from a file that it alone can write, or not at all")
    func memory() async throws {
        try await withStoreScene { scene in
            try await scene.store.noteFrontends(2)
            #expect(await code { _ = try await scene.opened(by: "a") } == .occupied)
            await scene.store.close()
            #expect(try await scene.opened(by: "a").contents().frontends == 2)
            try AtomicFile.write(Array("{}".utf8), to: "\(scene.directory)/c", mode: 0o666)
            #expect(await code { _ = try await scene.opened(by: "c") } == .exposed)
            try AtomicFile.write(Array("{".utf8), to: "\(scene.directory)/d", mode: 0o600)
            #expect(await code { _ = try await scene.opened(by: "d") } == .corrupt)
        }
    }
}
