import EtcdSupport
import Foundation
import IssuerStore
import KeyLifecycle
import Platform
import TestSupport
import Testing

@testable import EtcdStore

/// Not a test of anything: prints what the stores cost, as a ratio, when `PRIVYSEAL_MEASURE_STORES` says of how many issuers.
@Suite(
    "What a store costs", .enabled(if: EtcdServer.isInstalled && Environment.value("PRIVYSEAL_MEASURE_STORES") != nil),
    .serialized)
struct Measurement {
    @Test("the same issuers in SQLite and in etcd")
    func stores() async throws {
        let count = Int(Environment.value("PRIVYSEAL_MEASURE_STORES") ?? "") ?? 1_000
        try await withTemporaryDirectory { directory in
            let sqlite = try SQLiteIssuerStore(path: "\(directory)/store.db", tenant: nil, minted: .fixture)
            let server = try await EtcdServer.start()
            try await EtcdGateway.with([server.endpoint]) { gateway in
                let prefix = EtcdGateway.prefix()
                try await EtcdIssuerStore.make(gateway, prefix: prefix, minted: .fixture)
                let user = EtcdIssuerStore.User(agent: "a", incarnation: "1", memory: "\(directory)/memory")
                let etcd = try await EtcdIssuerStore.open(gateway, prefix: prefix, user: user)
                let first = try await measure(sqlite, count)
                let second = try await measure(etcd, count)
                for (left, right) in zip(first, second) {
                    print("\(left.what): SQLite \(left.time), etcd \(right.time), ratio \(right.time / left.time)")
                }
                let headTime = try await time { for _ in 0..<count { _ = try await etcd.head() } }
                print("head: \(headTime / count) each; what etcd holds: \(try await gateway.check()[0].size) bytes")
                try await views(gateway, prefix, etcd, sqliteReading: first[2].time)
                try await rest(server.endpoint, prefix, directory)
                let bytes = try await gateway.read(.prefix(prefix)).values.reduce(0) { $0 + $1.value.count }
                print("values: \(bytes / count) bytes for each issuer")
            }
            await server.stop()
        }
    }

    /// What a view costs the first time, when nothing is different, and when one issuer is.
    private func views(
        _ gateway: EtcdGateway, _ prefix: String, _ etcd: EtcdIssuerStore, sqliteReading: Duration
    ) async throws {
        let cold = try await time {
            for _ in 0..<5 {
                let user = EtcdIssuerStore.User(agent: "cold", incarnation: "1", memory: nil)
                _ = try await EtcdIssuerStore.open(gateway, prefix: prefix, user: user).view()
            }
        }
        let reader = try await EtcdIssuerStore.open(
            gateway, prefix: prefix, user: .init(agent: "warm", incarnation: "1", memory: nil))
        var issuer = try #require(try await reader.view().contents.issuers.first)
        let same = try await time { for _ in 0..<100 { _ = try await reader.view() } }
        var different = Duration.zero
        for number in 0..<100 {
            var settings = issuer.settings
            settings.lifetime = 1_001 + number
            let change = try issuer.updating(
                IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false), at: .at(2))!
            try await etcd.commit(change, fulfilling: [])
            issuer = change.issuer!
            different += try await time { _ = try await reader.view() }
        }
        print("view: open and cold \(cold / 5) (SQLite's contents x \(cold / 5 / sqliteReading)), nothing new \(same / 100),")
        print("view: one issuer new \(different / 100)")
    }

    /// What an agent asks of etcd in a minute in which nothing happens: `head` each two seconds, `renew` each ten.
    private func rest(_ endpoint: EtcdEndpoint, _ prefix: String, _ directory: String) async throws {
        let traffic = Locked((requests: 0, sent: 0, received: 0))
        let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { request in
            let answer = try await Forwarder.pass(request, to: endpoint)
            var received = 0
            for case .bytes(let text) in answer { received += text.utf8.count }
            traffic.withLock { traffic in
                traffic.requests += 1
                traffic.sent += request.body.count
                traffic.received += received
            }
            return answer
        }
        try await ScriptedServer.run(script) { endpoint in
            try await EtcdGateway.with([endpoint]) { gateway in
                let user = EtcdIssuerStore.User(agent: "rest", incarnation: "1", memory: "\(directory)/rest")
                let store = try await EtcdIssuerStore.open(gateway, prefix: prefix, user: user)
                try await store.join(FleetMember(id: "rest", incarnation: "1", host: "h", release: "1", staleness: 60))
                try await store.renew(clock: 1)
                let revision = try await store.view().revision
                try await store.report(MemberReport(revision: revision))
                func one(_ what: String, times: Int, _ body: () async throws -> Void) async throws {
                    traffic.withLock { $0 = (0, 0, 0) }
                    for _ in 0..<times { try await body() }
                    let found = traffic.withLock { $0 }
                    print("at rest, \(what): \(found.requests) requests, \(found.sent) bytes out, \(found.received) in, a minute")
                }
                try await one("head", times: 30) { _ = try await store.head() }
                try await one("renew", times: 6) { try await store.renew(clock: 2) }
                try await one("fleet, were it read with each renewal", times: 6) { _ = try await store.fleet() }
                try await store.leave()
            }
        }
    }

    private func time(_ body: () async throws -> Void) async throws -> Duration {
        let start = MonotonicClock.nanoseconds()
        try await body()
        return .nanoseconds(MonotonicClock.nanoseconds() - start)
    }

    private func measure(_ store: any IssuerStorage, _ count: Int) async throws -> [(what: String, time: Duration)] {
        var issuers: [Issuer] = []
        func key(_ number: Int) -> GeneratedKey {
            let bytes = withIndex(number)
            return GeneratedKey(
                keyID: KeyID(bytes)!,
                kid: Data(bytes + bytes + [1, 2, 3]).base64EncodedString().replacingOccurrences(of: "/", with: "_"),
                specification: KeySpecification(.rs256, rsaBits: 2_048), publicKey: [UInt8](repeating: 7, count: 294))
        }
        let creating = try await time {
            for number in 0..<count {
                let name = IssuerName("issuer-\(number)")!
                try await store.record(
                    GenerationIntent(keyID: key(number).keyID, issuer: name, algorithm: .rs256, recordedAt: .at(0)))
                let change = try Issuer.creating(name, settings: IssuerSettings(), url: nil, firstKey: key(number), at: .at(0))
                try await store.commit(change, fulfilling: [key(number).keyID])
                issuers.append(change.issuer!)
            }
        }
        let updating = try await time {
            for (number, issuer) in issuers.enumerated() {
                var settings = issuer.settings
                settings.lifetime = 1_000
                let change = try issuer.updating(
                    IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false), at: .at(1))!
                try await store.commit(change, fulfilling: [])
                issuers[number] = change.issuer!
            }
        }
        var read = 0
        let reading = try await time { for _ in 0..<5 { read = try await store.contents().issuers.count } }
        #expect(read == count)
        return [
            ("intent and first commit", creating / count), ("commit", updating / count), ("contents of \(count)", reading / 5),
        ]
    }

    private func withIndex(_ number: Int) -> [UInt8] {
        [UInt8](repeating: 0, count: 12) + (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * (3 - $0))) }
    }
}
