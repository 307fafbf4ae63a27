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
                let bytes = try await gateway.read(.prefix(prefix)).values.reduce(0) { $0 + $1.value.count }
                print("values: \(bytes / count) bytes for each issuer")
            }
            await server.stop()
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
