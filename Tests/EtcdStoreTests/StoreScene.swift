import EtcdSupport
import Foundation
import IssuerStore
import TestSupport
import Testing

@testable import EtcdStore

/// A store that is new, the gateway under it, and where machines remember it.
struct StoreScene {
    let gateway: EtcdGateway
    let prefix: String
    let directory: String
    /// Of the agent `a`.
    let store: EtcdIssuerStore

    /// Another agent of the same fleet, or the same one started again after `store.close()`.
    func opened(
        by agent: String = "b", incarnation: String = "1", admitting: Set<StoreState> = [.live]
    ) async throws -> EtcdIssuerStore {
        try await EtcdIssuerStore.open(gateway, prefix: prefix, user: user(agent, incarnation), admitting: admitting)
    }

    func user(_ agent: String, _ incarnation: String = "1") -> EtcdIssuerStore.User {
        EtcdIssuerStore.User(agent: agent, incarnation: incarnation, memory: "\(directory)/\(agent)")
    }

    /// Everything that lies under the prefix, by what follows the deployment.
    func raw() async throws -> [String: String] {
        let values = try await gateway.read(.prefix(prefix)).values
        let base = store.layout.base.count
        return Dictionary(
            uniqueKeysWithValues: values.map {
                (String($0.name.dropFirst(base)), String(decoding: $0.value, as: UTF8.self))
            })
    }

    /// What anybody with access to etcd could do.
    func edit(_ key: String, _ old: String, _ new: String) async throws {
        let text = try #require(try await raw()[key])
        try #require(text.contains(old), "\(text)")
        try await gateway.put(store.layout.base + key, Array(text.replacingOccurrences(of: old, with: new).utf8))
    }

    /// What this machine remembers, as it lies in its file.
    func remembered(by agent: String = "a") throws -> LocalMemory.Content {
        try JSONDecoder().decode(LocalMemory.Content.self, from: Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(agent)")))
    }
}

func withStoreScene(_ body: (StoreScene) async throws -> Void) async throws {
    try await withStoreScene(at: EtcdServer.shared(), body)
}

func withStoreScene(at server: EtcdServer, _ body: (StoreScene) async throws -> Void) async throws {
    try await withStoreScene(at: [server.endpoint], body)
}

func withStoreScene(at endpoints: [EtcdEndpoint], _ body: (StoreScene) async throws -> Void) async throws {
    try await withTemporaryDirectory { directory in
        try await EtcdGateway.with(endpoints) { gateway in
            let prefix = EtcdGateway.prefix()
            try await EtcdIssuerStore.make(gateway, prefix: prefix, minted: .fixture)
            let user = EtcdIssuerStore.User(agent: "a", incarnation: "1", memory: "\(directory)/a")
            let store = try await EtcdIssuerStore.open(gateway, prefix: prefix, user: user)
            try await body(StoreScene(gateway: gateway, prefix: prefix, directory: directory, store: store))
        }
    }
}

/// The code of what a call threw; `nil` when it did not.
func code(_ body: () async throws -> Void) async -> StoreError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? StoreError)?.code
    }
}
