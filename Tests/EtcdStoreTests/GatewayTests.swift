import EtcdSupport
import Foundation
import Platform
import Testing

@testable import EtcdStore

@Suite("The gateway of a real etcd", .enabled(if: EtcdServer.isInstalled))
struct GatewayTests {
    private func withGateway(_ body: (EtcdGateway, String) async throws -> Void) async throws {
        let server = try await EtcdServer.shared()
        try await EtcdGateway.with([server.endpoint]) { gateway in try await body(gateway, EtcdGateway.prefix() + "/") }
    }

    @Test("a value comes back as it was put, whatever its bytes, and with its revisions")
    func roundTrip() async throws {
        try await withGateway { gateway, prefix in
            let bytes = (0...255).map { UInt8($0) }
            let first = try await gateway.put(prefix + "a", bytes)
            let second = try await gateway.put(prefix + "a", [])
            let reading = try await gateway.read(.key(prefix + "a"))
            #expect(
                reading.values == [
                    EtcdKeyValue(key: Array((prefix + "a").utf8), value: [], created: first, modified: second, lease: 0)
                ])
            #expect(reading.revision >= second)
            #expect(try await gateway.read(.key(prefix + "a"), at: first).values.map(\.value) == [bytes])
            #expect(try await gateway.read(.key(prefix + "b")).values.isEmpty)
            #expect(try await gateway.count(.prefix(prefix)) == 1)
        }
    }

    @Test("each comparison is true when it is and false when it is not")
    func comparisons() async throws {
        try await withGateway { gateway, prefix in
            let (here, gone) = (prefix + "here", prefix + "gone")
            let revision = try await gateway.put(here, [1])
            let cases: [(EtcdComparison, Bool)] = [
                (.modified(here, revision), true), (.modified(here, revision - 1), false), (.modified(here, 0), false),
                (.modified(gone, 0), true), (.modified(gone, revision), false), (.noneIn(.prefix(prefix)), false),
                (.noneIn(.prefix(gone)), true), (.noneIn(.key(gone)), true), (.noneIn(.key(here)), false),
            ]
            for (comparison, isTrue) in cases {
                let outcome = try await gateway.carryOut(
                    EtcdTransaction(comparing: [comparison], success: [.get(.key(here))], failure: []))
                #expect(outcome.succeeded == isTrue, "\(comparison)")
                #expect(outcome.found.count == (isTrue ? 1 : 0))
            }
            // All of them have to be.
            let both = EtcdTransaction(comparing: [.modified(gone, 0), .modified(here, 0)], success: [.put(gone, [])])
            #expect(try await gateway.carryOut(both).succeeded == false)
            #expect(try await gateway.count(.key(gone)) == 0)
        }
    }

    @Test("a transaction does everything or the other thing, at one revision")
    func transaction() async throws {
        try await withGateway { gateway, prefix in
            let (a, b, c) = (prefix + "a", prefix + "b", prefix + "c")
            let change = EtcdTransaction(
                comparing: [.modified(a, 0)], success: [.put(a, [1]), .put(b, [2]), .get(.prefix(prefix))],
                failure: [.delete(.key(b)), .put(c, [3]), .get(.prefix(prefix), limit: 1)])
            let first = try await gateway.carryOut(change)
            #expect(first.succeeded && !first.isRepeated)
            #expect(first.found.map { $0.values.map(\.name) } == [[a, b]])
            #expect(first.found[0].values.allSatisfy { $0.modified == first.revision })
            let second = try await gateway.carryOut(change)
            #expect(!second.succeeded)
            #expect(second.found.map { $0.values.map(\.name) } == [[a]] && second.found[0].hasMore)
            #expect(try await gateway.names(.prefix(prefix), limit: 9).map(\.name) == [a, c])
            try await gateway.put(b, [])
            let deletion = EtcdTransaction(success: [.delete(.between(a, c))])
            #expect(try await gateway.carryOut(deletion).succeeded)
            #expect(try await gateway.names(.prefix(prefix), limit: 9).map(\.name) == [c])
        }
    }

    @Test("a range is read page by page as of one revision, whatever is written meanwhile")
    func pages() async throws {
        try await withGateway { gateway, prefix in
            let keys = (10..<33).map { "\(prefix)\($0)" }
            for key in keys { try await gateway.put(key, [0]) }
            let before = try await gateway.read(.prefix(prefix), page: 5)
            #expect(before.values.map(\.name) == keys)
            for key in keys { try await gateway.put(key, [1]) }
            let again = try await gateway.read(.prefix(prefix), at: before.revision, page: 4)
            #expect(again.values == before.values)
            #expect(try await gateway.read(.prefix(prefix), page: 23).values.allSatisfy { $0.value == [1] })
        }
    }

    @Test("pages of the largest values go through the gateway")
    func largePages() async throws {
        try await withGateway { gateway, prefix in
            let value = [UInt8](repeating: 7, count: 8_192)
            for start in stride(from: 0, to: 300, by: 100) {
                let puts = (start..<start + 100).map { EtcdOperation.put("\(prefix)\($0)", value) }
                let outcome = try await gateway.carryOut(EtcdTransaction(success: puts))
                #expect(outcome.succeeded)
            }
            let found = try await gateway.read(.prefix(prefix)).values
            #expect(found.count == 300)
            let whole = EtcdTransaction(success: (0..<EtcdTransaction.limit).map { .put("\(prefix)\($0)", value) })
            let outcome = try await gateway.carryOut(whole)
            #expect(outcome.succeeded)
        }
    }

    @Test("a revision that is not kept and one that is still to come are told apart")
    func revisions() async throws {
        let server = try await EtcdServer.start()
        try await EtcdGateway.with([server.endpoint]) { gateway in
            for _ in 0..<5 { try await gateway.put("k", []) }
            let now = try await gateway.read(.key("k")).revision
            _ = try await raw(server.endpoint, "/v3/kv/compaction", #"{"revision":"\#(now)","physical":true}"#)
            let compacted = await #expect(throws: EtcdError.self) { try await gateway.read(.key("k"), at: now - 2) }
            #expect(compacted?.code == .compacted)
            let future = await #expect(throws: EtcdError.self) { try await gateway.read(.key("k"), at: now + 100) }
            #expect(future?.code == .futureRevision)
            await #expect(throws: EtcdError(.compacted, "", hint: "")) {
                try await gateway.watch(.key("k"), from: 1) { _ in }
            }
        }
        await server.stop()
    }

    @Test("a lease lives as long as it is kept alive, and its keys end with it")
    func leases() async throws {
        try await withGateway { gateway, prefix in
            let lease = try await gateway.grantLease(seconds: 60)
            try await gateway.put(prefix + "a", [], lease: lease)
            let put = EtcdTransaction(success: [.put(prefix + "b", [], lease: lease)])
            #expect(try await gateway.carryOut(put).succeeded)
            #expect(try await gateway.read(.prefix(prefix)).values.map(\.lease) == [lease, lease])
            #expect(try await gateway.keepLeaseAlive(lease) == 60)
            try await gateway.revokeLease(lease)
            try await gateway.revokeLease(lease)
            #expect(try await gateway.count(.prefix(prefix)) == 0)
            await #expect(throws: EtcdError(.leaseGone, "", hint: "")) { try await gateway.keepLeaseAlive(lease) }
            await #expect(throws: EtcdError(.leaseGone, "", hint: "")) {
                try await gateway.put(prefix + "a", [], lease: lease)
            }
        }
    }

    @Test("a watch tells each change from its revision on")
    func watch() async throws {
        try await withGateway { gateway, prefix in
            let from = try await gateway.put(prefix + "a", [1])
            let lease = try await gateway.grantLease(seconds: 60)
            try await gateway.put(prefix + "b", [2], lease: lease)
            let (heard, hearing) = AsyncStream<EtcdWatchMessage>.makeStream()
            let watching = Task { try await gateway.watch(.prefix(prefix), from: from) { hearing.yield($0) } }
            var (events, hasBegun): ([EtcdWatchMessage.Event], Bool) = ([], false)
            for await message in heard {
                if message.isBeginning {
                    hasBegun = true
                    try await gateway.revokeLease(lease)
                }
                events += message.events
                if events.count == 3 { break }
            }
            #expect(hasBegun)
            #expect(events.map(\.value.name) == ["a", "b", "b"].map { prefix + $0 })
            #expect(events.map(\.isDeletion) == [false, false, true])
            #expect(events.map(\.value.value) == [[1], [2], []])
            watching.cancel()
            await #expect(throws: CancellationError.self) { try await watching.value }
        }
    }

    @Test("one endpoint of three is enough, and the others are named")
    func oneOfThree() async throws {
        let server = try await EtcdServer.shared()
        let dead = ["http://127.0.0.1:1", "http://localhost.invalid:2379"].compactMap { EtcdEndpoint($0) }
        try await EtcdGateway.with(dead + [server.endpoint]) { gateway in
            #expect(try await gateway.read(.key("k")).values.isEmpty)
            #expect(Set(gateway.troubles.keys) == Set(dead))
            let reports = try await gateway.check()
            #expect(reports.map { $0.trouble == nil } == [false, false, true])
        }
        try await EtcdGateway.with(dead) { gateway in
            let error = await #expect(throws: EtcdError.self) { try await gateway.read(.key("k")) }
            #expect(error?.code == .unreachable)
            for endpoint in dead { #expect(error?.message.contains(endpoint.url) == true) }
            #expect(error?.message.contains("\n") == false)
        }
    }

    @Test("a check says what it found")
    func check() async throws {
        try await withGateway { gateway, _ in
            let report = try #require(try await gateway.check().first)
            #expect(report.version?.hasPrefix("3.") == true && report.cluster == gateway.cluster && report.cluster != 0)
            #expect(report.leader == report.member && report.alarms.isEmpty && report.size > 0)
            #expect((report.remark == nil) == EtcdVersion(report.version ?? "").isMaintained)
            #expect(try await gateway.members().map(\.id) == [report.member])
        }
    }

    @Test("a gateway that is off is named, with the option that switches it on")
    func gatewayOff() async throws {
        let server = try await EtcdServer.start(["--enable-grpc-gateway=false"])
        try await EtcdGateway.with([server.endpoint]) { gateway in
            let start = await #expect(throws: EtcdError.self) { try await gateway.check() }
            let call = await #expect(throws: EtcdError.self) { try await gateway.read(.key("k")) }
            for error in [start, call] {
                #expect(error?.code == .gatewayOff)
                #expect(error?.hint.contains("enable-grpc-gateway") == true)
            }
        }
        await server.stop()
    }

    @Test("a quota that is used up is named, and reading goes on")
    func noSpace() async throws {
        let server = try await EtcdServer.start(["--quota-backend-bytes", "1000000"])
        try await EtcdGateway.with([server.endpoint]) { gateway in
            let value = [UInt8](repeating: 7, count: 100_000)
            let error = await #expect(throws: EtcdError.self) {
                for number in 0..<50 { try await gateway.put("k\(number)", value) }
            }
            #expect(error?.code == .noSpace)
            #expect(error?.hint.contains("defrag") == true)
            let found = try await gateway.read(.key("k0")).values
            #expect(found.count == 1)
            let report = try await gateway.check().first
            #expect(report?.alarms.map(\.kind) == ["NOSPACE"])
        }
        await server.stop()
    }

    @Test("a member that stands still is undecided about a change, and answers again when it goes on")
    func paused() async throws {
        let server = try await EtcdServer.start()
        try await EtcdGateway.with([server.endpoint], { $0.limits.attempt = .milliseconds(300) }) { gateway in
            try await gateway.put("k", [1])
            try await server.pause()
            let error = await #expect(throws: EtcdError.self) { try await gateway.put("k", [2]) }
            #expect(error?.code == .undecided)
            try server.resume()
            #expect(try await gateway.read(.key("k")).values.count == 1)
        }
        await server.stop()
    }
}

/// A request that the gateway's client has no call for; returns what came.
func raw(_ endpoint: EtcdEndpoint, _ path: String, _ body: String) async throws -> String {
    try await URLRequestParts(url: endpoint.url + path, body: Array(body.utf8)).send().body
}
