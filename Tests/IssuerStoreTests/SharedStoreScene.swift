import EtcdStore
import EtcdSupport
import Foundation
import IssuerStore
import IssuerStoreSupport
import Platform
import TestSupport
import Testing

/// Which implementation of a store that several agents share.
enum SharedImplementation: String, CaseIterable, CustomTestStringConvertible {
    case inMemory = "in memory"
    case etcd = "etcd"

    static let allCases: [SharedImplementation] = EtcdServer.isInstalled ? [.inMemory, .etcd] : [.inMemory]

    var testDescription: String { rawValue }

    /// Runs `body` with a new store, which is gone afterwards.
    func withScene(_ body: (SharedStoreScene) async throws -> Void) async throws {
        let time = Locked<Int64>(1_000)
        let clock: @Sendable () -> Int64 = { time.withLock { $0 } }
        switch self {
        case .inMemory:
            let store = InMemorySharedStore(deployment: .fixture, clock: { 0 })
            try await body(
                SharedStoreScene(
                    time: time,
                    opening: { agent, incarnation, machine in
                        store.handle(agent: agent, incarnation: incarnation, machine: machine, clock: clock)
                    }, closing: { _ in }, expiring: { store.expireLeases(of: $0) }))
        case .etcd:
            let server = try await EtcdServer.shared()
            try await withTemporaryDirectory { directory in
                try await EtcdGateway.with([server.endpoint], clock: clock) { gateway in
                    let prefix = EtcdGateway.prefix()
                    try await EtcdIssuerStore.make(gateway, prefix: prefix, minted: .fixture)
                    try await body(
                        SharedStoreScene(
                            time: time,
                            opening: { agent, incarnation, machine in
                                let user = EtcdIssuerStore.User(
                                    agent: agent, incarnation: incarnation, memory: machine.map { "\(directory)/\($0)" })
                                return try await EtcdIssuerStore.open(gateway, prefix: prefix, user: user)
                            }, closing: { await ($0 as? EtcdIssuerStore)?.close() },
                            expiring: { agent in
                                let place = "\(prefix)/1/\(Deployment.fixture.id)/agents/\(agent)"
                                guard let found = try await gateway.read(.key(place)).values.first else { return }
                                try await gateway.revokeLease(found.lease)
                            }))
                }
            }
        }
    }
}

/// A store and the agents that a test opens it for.
struct SharedStoreScene {
    /// Nanoseconds of the agents' `CLOCK_BOOTTIME`.
    let time: Locked<Int64>
    let opening: @Sendable (_ agent: String, _ incarnation: String, _ machine: String?) async throws -> any SharedIssuerStorage
    let closing: @Sendable (any SharedIssuerStorage) async -> Void
    let expiring: @Sendable (_ agent: String) async throws -> Void

    /// An agent on a machine of its own name, unless another is given.
    func agent(_ id: String, _ incarnation: String = "1", on machine: String? = nil) async throws -> any SharedIssuerStorage {
        try await opening(id, incarnation, machine ?? id)
    }

    /// One that has joined and said that it is there.
    func member(_ id: String, _ incarnation: String = "1", on machine: String? = nil) async throws -> any SharedIssuerStorage {
        let store = try await agent(id, incarnation, on: machine)
        try await store.join(.fixture(id, incarnation))
        try await store.renew(clock: 1)
        return store
    }

    /// What the process of an agent leaves when it ends without a word.
    func end(_ store: any SharedIssuerStorage) async { await closing(store) }

    func expireLeases(of agent: String) async throws { try await expiring(agent) }

    func advance(seconds: Int64) { time.withLock { $0 += seconds * 1_000_000_000 } }
}

extension FleetMember {
    static func fixture(_ id: String, _ incarnation: String = "1") -> FleetMember {
        FleetMember(id: id, incarnation: incarnation, host: "host-\(id)", release: "1.0", staleness: 60)
    }
}

extension SharedIssuerStorage {
    func entries() async throws -> [String] {
        try await fleet().entries.map { entry in
            let clock = entry.clock.map { "@\($0)" } ?? ""
            let report = entry.report.map { " \($0.revision)" } ?? ""
            return "\(entry.member.id).\(entry.member.incarnation)\(clock)\(report)"
        }
    }
}
