import AsyncHTTPClient
package import EtcdStore
import Foundation
import NIOCore
import NIOHTTP1
import Platform
package import ProcessSupport

/// Three members of etcd on loopback, each of which can be killed and started again.
package final class EtcdCluster: Sendable {
    private static let program = "/usr/bin/etcd"
    private static let client = "/usr/bin/etcdctl"
    /// Whether Debian's etcd-client is installed, which makes and restores snapshots.
    package static let hasClient = FileManager.default.isExecutableFile(atPath: client)

    /// A member's ports. They stay when it is started again.
    private struct Ports: Sendable {
        let client: Int
        let peer: Int
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let directory: String
    private let group: ProcessGroup
    private let ports: [Ports]
    private struct State {
        var members: [ChildProcess?] = [nil, nil, nil]
        /// Counts restorations: each has data of its own.
        var epoch = 1
    }
    private let state = Locked(State())

    package var count: Int { ports.count }

    /// - Parameter port: gives a free port.
    package init(in directory: String, _ group: ProcessGroup, port: () throws -> Int) throws {
        (self.directory, self.group) = (directory, group)
        ports = try (0..<3).map { _ in Ports(client: try port(), peer: try port()) }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    package func clientPort(_ index: Int) -> Int { ports[index].client }
    package func endpoint(_ index: Int) throws -> EtcdEndpoint {
        guard let endpoint = EtcdEndpoint(url(index)) else { throw Failure(description: url(index)) }
        return endpoint
    }
    package func process(_ index: Int) -> ChildProcess? { state.withLock { $0.members[index] } }
    package func isRunning(_ index: Int) -> Bool { process(index)?.isRunning ?? false }
    package func log(_ index: Int) -> String { "\(directory)/\(index).log" }

    private func url(_ index: Int) -> String { "http://127.0.0.1:\(ports[index].client)" }
    private func peer(_ index: Int) -> String { "http://127.0.0.1:\(ports[index].peer)" }
    private func data(_ index: Int, _ epoch: Int) -> String { "\(directory)/data-\(epoch)-\(index)" }
    private var initialCluster: String { ports.indices.map { "m\($0)=\(peer($0))" }.joined(separator: ",") }

    /// Starts a member, with the data it had.
    package func start(_ index: Int) throws {
        let epoch = state.withLock { $0.epoch }
        let process = try group.start(
            Self.program,
            [
                "--name", "m\(index)", "--data-dir", data(index, epoch), "--listen-client-urls", url(index),
                "--advertise-client-urls", url(index), "--listen-peer-urls", peer(index), "--initial-advertise-peer-urls",
                peer(index), "--initial-cluster", initialCluster, "--unsafe-no-fsync", "--log-level", "error",
            ], log: log(index))
        state.withLock { $0.members[index] = process }
    }

    /// Starts all of them and waits until they have a leader.
    package func start() async throws {
        for index in ports.indices where !isRunning(index) { try start(index) }
        for _ in 0..<600 {
            if try await leader() != nil { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        let log = (try? String(contentsOfFile: log(0), encoding: .utf8)) ?? ""
        throw Failure(description: "etcd has no leader: \(log.suffix(2_000))")
    }

    package func kill(_ index: Int) async { await process(index)?.end() }

    /// The member that leads, as a majority of those that answer has it.
    package func leader() async throws -> Int? {
        let reports = try await withGateway { await $0.examine() }
        var votes: [UInt64: Int] = [:]
        for report in reports where report.trouble == nil && report.leader != 0 { votes[report.leader, default: 0] += 1 }
        guard let (leader, count) = votes.max(by: { $0.value < $1.value }), count > ports.count / 2 else { return nil }
        return reports.firstIndex { $0.member == leader }
    }

    /// Calls with a gateway to all members, without a proxy in between.
    ///
    /// - Parameter watchIdle: how long a watch may be silent, by a member that stands still.
    package func withGateway<Value: Sendable>(
        watchIdle: Duration = .seconds(60), _ body: (EtcdGateway) async throws -> Value
    ) async throws -> Value {
        var access = EtcdAccess(endpoints: try ports.indices.map { try endpoint($0) })
        access.limits.attempt = .seconds(2)
        access.limits.watchIdle = watchIdle
        let gateway = try EtcdGateway(access, clock: MonotonicClock.nanoseconds)
        do {
            let value = try await body(gateway)
            await gateway.close()
            return value
        } catch {
            await gateway.close()
            throw error
        }
    }

    /// Drops every revision before the present one, or before an earlier one.
    package func compact(upTo last: Int64 = .max) async throws {
        let revision = min(last, try await withGateway { try await $0.read(.between("\0", "\u{1}")).revision })
        for index in ports.indices where isRunning(index) {
            var request = HTTPClientRequest(url: url(index) + "/v3/kv/compaction")
            request.method = .POST
            request.body = .bytes(ByteBuffer(string: #"{"revision":"\#(revision)"}"#))
            if let answer = try? await HTTPClient.shared.execute(request, timeout: .seconds(2)), answer.status == .ok { return }
        }
        throw Failure(description: "no member compacts")
    }

    /// Writes what the store holds now to a file.
    package func saveSnapshot(to file: String) async throws {
        for index in ports.indices where isRunning(index) {
            if try await etcdctl(["--endpoints", url(index), "snapshot", "save", file]) == 0 { return }
        }
        throw Failure(description: "no member gives a snapshot")
    }

    /// Ends every member, and starts a new cluster on the same ports with what a file holds.
    package func restoreSnapshot(from file: String) async throws {
        for index in ports.indices { await kill(index) }
        let epoch = state.withLock { state in
            state.epoch += 1
            return state.epoch
        }
        for index in ports.indices {
            let status = try await etcdctl([
                "snapshot", "restore", file, "--name", "m\(index)", "--initial-cluster", initialCluster,
                "--initial-advertise-peer-urls", peer(index), "--initial-cluster-token", "restored-\(epoch)", "--data-dir",
                data(index, epoch),
            ])
            guard status == 0 else { throw Failure(description: "etcdctl does not restore \(file)") }
        }
        try await start()
    }

    private func etcdctl(_ arguments: [String]) async throws -> Int32 {
        try await group.start(
            Self.client, arguments, environment: ["PATH": "/usr/bin:/bin", "ETCDCTL_API": "3"], log: "\(directory)/etcdctl.log"
        ).status
    }
}
