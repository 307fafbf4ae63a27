import EtcdSupport
import FleetSupport
import Foundation
import IssuerStore
import KeyLifecycle
import Platform
import ProcessSupport
import TestSupport
import Testing

@testable import EtcdStore

@Suite("A store in a cluster that is unwell", .enabled(if: EtcdServer.isInstalled), .serialized)
struct ClusterTests {
    /// What became of changes from each generation of an issuer.
    private struct Tally: Sendable {
        var made: [Int] = []
        var undecided: Set<Int> = []
    }

    private func withCluster(_ body: (EtcdCluster, [EtcdEndpoint]) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let group = try ProcessGroup(in: directory)
            do {
                let cluster = try EtcdCluster(in: directory + "/etcd", group, port: FreePort.next)
                try await cluster.start()
                try await body(cluster, try (0..<cluster.count).map { try cluster.endpoint($0) })
            } catch {
                await group.end()
                throw error
            }
            await group.end()
        }
    }

    /// Changes an issuer until so many changes of all agents together are made.
    private func change(_ store: EtcdIssuerStore, until total: Int, _ tally: Locked<Tally>) async {
        while tally.withLock({ $0.made.count }) < total {
            guard let issuer = try? await store.contents().issuers.first, let change = Self.change(of: issuer) else {
                await Task.yield()
                continue
            }
            // One that lost against another agent, or met nobody, is nothing.
            switch await code({ try await store.commit(change, fulfilling: []) }) {
            case nil: tally.withLock { $0.made.append(issuer.generation) }
            case StoreError.Code.undecided: _ = tally.withLock { $0.undecided.insert(issuer.generation) }
            default: await Task.yield()
            }
        }
    }

    private static func change(of issuer: Issuer) -> IssuerChange? {
        var settings = issuer.settings
        settings.lifetime = settings.lifetime == 1_000 ? 2_000 : 1_000
        let update = IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false)
        return try? issuer.updating(update, at: .at(1))
    }

    private func reached(_ count: Int, _ tally: Locked<Tally>) async throws {
        while tally.withLock({ $0.made.count }) < count { try await Task.sleep(for: .milliseconds(10)) }
    }

    @Test("loses no commit and makes none twice, with its leader killed and with its leader standing still")
    func leaders() async throws {
        try await withCluster { cluster, endpoints in
            try await withStoreScene(at: endpoints) { scene in
                try await scene.store.create()
                let tally = Locked(Tally())
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for agent in ["b", "c", "d"] {
                        group.addTask {
                            try await EtcdGateway.with(endpoints) { gateway in
                                let store = try await EtcdIssuerStore.open(
                                    gateway, prefix: scene.prefix, user: scene.user(agent))
                                await change(store, until: 60, tally)
                            }
                        }
                    }
                    group.addTask {
                        try await reached(10, tally)
                        let first = try #require(try await cluster.leader())
                        await cluster.kill(first)
                        try await reached(25, tally)
                        try cluster.start(first)
                        try await reached(35, tally)
                        let second = try #require(try await cluster.leader())
                        try await cluster.process(second)?.pause()
                        try await reached(50, tally)
                        cluster.process(second)?.resume()
                    }
                    try await group.waitForAll()
                }
                let (made, undecided) = tally.withLock { ($0.made, $0.undecided) }
                let generation = try #require(try await scene.store.contents().issuers.first).generation
                #expect(Set(made).count == made.count, "two changes of one generation were made")
                #expect(made.allSatisfy { $0 < generation }, "a change that was made is gone")
                #expect(Set(made).union(undecided).isSuperset(of: 1..<generation), "a change that nobody made is there")
            }
        }
    }

    @Test("says so without a majority, answers nothing from memory, and goes on with one")
    func minority() async throws {
        try await withCluster { cluster, endpoints in
            try await withStoreScene(at: endpoints) { scene in
                let issuer = try await scene.store.create()
                try await scene.store.join(
                    FleetMember(id: "a", incarnation: "1", host: "h", release: "1", staleness: 60))
                // One of three is enough of a way in.
                await cluster.kill(0)
                #expect(try await scene.store.view().contents.issuers == [issuer])
                let troubles = await scene.store.troubles()
                #expect(troubles.map(\.code) == [.unavailable])
                #expect(troubles.first?.message.contains(endpoints[0].url) == true)
                await cluster.kill(1)
                #expect(await code { _ = try await scene.store.head() } == .unavailable)
                #expect(await code { _ = try await scene.store.view() } == .unavailable)
                #expect(await code { _ = try await scene.store.fleet() } == .unavailable)
                let changing = await code { try await scene.store.commit(issuer.deleting(at: .at(1)), fulfilling: []) }
                #expect(changing == .unavailable)
                try cluster.start(0)
                // Until there is a leader.
                var view: StoreView?
                for _ in 0..<20 where view == nil { view = try? await scene.store.view() }
                #expect(view?.contents.issuers == [issuer] && view?.regressions.isEmpty == true)
                try await scene.store.renew(clock: 1)
                try await scene.store.commit(issuer.deleting(at: .at(1)), fulfilling: [])
            }
        }
    }

    @Test("believes no member of another cluster, and says which is which")
    func otherCluster() async throws {
        let (own, other) = (try await EtcdServer.start(), try await EtcdServer.shared())
        try await withStoreScene(at: [own.endpoint, other.endpoint]) { scene in
            let issuer = try await scene.store.create()
            let check = await #expect(throws: EtcdError.self) { _ = try await scene.gateway.check() }
            #expect(check?.code == .otherCluster)
            await own.stop()
            for _ in 0..<2 {
                let error = await #expect(throws: StoreError.self) { _ = try await scene.store.head() }
                #expect(error?.code == .displaced)
                #expect(error?.message.contains(other.endpoint.url) == true)
            }
            #expect(await code { try await scene.store.commit(issuer.deleting(at: .at(1)), fulfilling: []) } == .displaced)
        }
    }

    @Test("goes past a member of another cluster to the next one that is of its own")
    func strangerAmongThem() async throws {
        let own = try await EtcdServer.start()
        let other = try await EtcdServer.shared()
        let port = try #require(URL(string: own.endpoint.url)?.port)
        let first = try await CuttableProxy.start(listeningAt: .port(0), to: .port(port))
        guard case .port(let place) = first.place, let before = EtcdEndpoint("http://127.0.0.1:\(place)") else { return }
        try await withStoreScene(at: [before, other.endpoint, own.endpoint]) { scene in
            let issuer = try await scene.store.create()
            await first.close()
            #expect(try await scene.store.head().head.revision > 0)
            try await scene.store.commit(issuer.deleting(at: .at(1)), fulfilling: [])
            let stranger = scene.gateway.troubles[other.endpoint]
            #expect(stranger?.code == .otherCluster, "\(stranger?.message ?? "")")
        }
        await own.stop()
    }

    @Test("can be read and confirmed with its quota used up, and says that nothing can be changed")
    func noSpace() async throws {
        let server = try await EtcdServer.start(["--quota-backend-bytes", "2000000"])
        try await withStoreScene(at: server) { scene in
            let issuer = try await scene.store.create()
            try await scene.store.join(FleetMember(id: "a", incarnation: "1", host: "h", release: "1", staleness: 60))
            try await scene.store.renew(clock: 1)
            let value = [UInt8](repeating: 7, count: 200_000)
            for number in 0..<50 { _ = try? await scene.gateway.put("/full/\(number)", value) }
            let error = await #expect(throws: StoreError.self) {
                try await scene.store.commit(issuer.deleting(at: .at(1)), fulfilling: [])
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("NOSPACE") == true && error?.hint.contains("defrag") == true)
            let agent = try await scene.gateway.read(.key(scene.store.layout.agent("a"))).values.first
            let lease = try #require(agent?.lease)
            /// Seconds that it still has.
            func rest() async throws -> Int {
                let answer = try await scene.gateway.exchange.post(
                    "\(server.endpoint.url)/v3/lease/timetolive", Array(#"{"ID":"\#(lease)"}"#.utf8), token: nil,
                    within: .seconds(60))
                let text = String(decoding: answer.body, as: UTF8.self)
                return Int(text.firstMatch(of: #/"TTL":"([0-9]+)"/#)?.output.1 ?? "") ?? 0
            }
            // Nobody is taken for silent: a lease is kept, although nothing can be said.
            while try await rest() > 28 { try await Task.sleep(for: .milliseconds(50)) }
            let low = try await rest()
            var now = low
            repeat {
                #expect(await code { try await scene.store.renew(clock: 2) } == .unavailable)
                now = try await rest()
            } while now <= low && now > 0
            #expect(now > low)
            let troubles = await scene.store.troubles()
            #expect(troubles.count == 1 && troubles.first?.message.contains("NOSPACE") == true)
            let view = try await scene.store.view()
            #expect(view.contents.issuers == [issuer])
            #expect(try await scene.store.head().head == view.head)
            #expect(try await scene.store.fleet().entries.map(\.member.id) == ["a"])
        }
        await server.stop()
    }

    @Test("is read and changed while it is compacted at every moment")
    func compaction() async throws {
        let server = try await EtcdServer.start()
        try await withStoreScene(at: server) { scene in
            let issuer = try await scene.store.create()
            let compacting = Task {
                while !Task.isCancelled {
                    let revision = try await scene.store.head().head.revision
                    _ = try await raw(server.endpoint, "/v3/kv/compaction", #"{"revision":"\#(revision)","physical":true}"#)
                }
            }
            let other = try await scene.opened()
            var (now, key) = (issuer, UInt8(2))
            for round in 0..<30 {
                try await other.record(.number(key))
                now = try await other.publish(now, key)
                key += 1
                now = try await other.apply(
                    now.executing(now.planningRevocation(of: now.ring.active!.kid, at: .at(9 + round), canGenerate: false)))
                #expect(try await scene.store.view().contents.issuers == [now])
            }
            compacting.cancel()
            _ = await compacting.result
        }
        await server.stop()
    }
}
