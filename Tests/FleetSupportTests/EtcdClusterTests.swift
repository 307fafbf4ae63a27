import EtcdStore
import EtcdSupport
import FleetSupport
import Foundation
import ProcessSupport
import TestSupport
import Testing

@Suite("Three members of etcd", .enabled(if: EtcdServer.isInstalled), .serialized)
struct EtcdClusterTests {
    private func withCluster(_ body: (EtcdCluster, String) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let group = try ProcessGroup(in: directory)
            do {
                let cluster = try EtcdCluster(in: directory + "/etcd", group, port: FreePort.next)
                try await cluster.start()
                try await body(cluster, directory)
            } catch {
                await group.end()
                throw error
            }
            await group.end()
        }
    }

    private func value(_ cluster: EtcdCluster) async throws -> String? {
        try await cluster.withGateway { gateway in
            try await gateway.read(.key("key")).values.first.map { String(decoding: $0.value, as: UTF8.self) }
        }
    }

    /// Between two leaders nothing is taken.
    private func put(_ text: String, _ cluster: EtcdCluster) async throws {
        for attempt in 1... {
            do {
                try await cluster.withGateway { _ = try await $0.put("key", Array(text.utf8)) }
                return
            } catch  where attempt < 20 {
                try await Task.sleep(for: .milliseconds(250))
            }
        }
    }

    @Test("go on without their leader, which comes back with its data")
    func leader() async throws {
        try await withCluster { cluster, _ in
            try await put("one", cluster)
            let leader = try #require(try await cluster.leader())
            await cluster.kill(leader)
            try await put("two", cluster)
            let next = try #require(try await cluster.leader())
            #expect(next != leader && !cluster.isRunning(leader))
            try cluster.start(leader)
            let other = try #require([0, 1, 2].first { $0 != leader && $0 != next })
            try await cluster.process(other)?.pause()
            try await put("three", cluster)
            cluster.process(other)?.resume()
            #expect(try await value(cluster) == "three")
        }
    }

    @Test("are compacted, and a snapshot of them is restored as another cluster", .enabled(if: EtcdCluster.hasClient))
    func snapshot() async throws {
        try await withCluster { cluster, directory in
            try await put("one", cluster)
            let before = try await cluster.withGateway { await $0.examine() }
            try await cluster.saveSnapshot(to: directory + "/snapshot")
            try await put("two", cluster)
            try await cluster.compact()
            let revision = try await cluster.withGateway { try await $0.read(.key("key")).revision }
            await #expect(throws: EtcdError.self) {
                try await cluster.withGateway { _ = try await $0.read(.key("key"), at: revision - 1) }
            }
            try await cluster.restoreSnapshot(from: directory + "/snapshot")
            #expect(try await value(cluster) == "one")
            let after = try await cluster.withGateway { await $0.examine() }
            #expect(before[0].cluster != after[0].cluster)
        }
    }
}
