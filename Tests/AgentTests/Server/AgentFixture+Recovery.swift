import Agent
import AgentClient
import AgentProtocol
import IssuerStore
import KeyLifecycle
import Platform
import SoftHSMSupport

extension AgentFixture {
    /// A copy of the store as it is now, for a later start.
    ///
    /// - Parameter isMarked: as a backup is; a snapshot of a disk is not.
    func copyStore(isMarked: Bool) async throws -> SQLiteIssuerStore {
        let path = "\(token.directory)/copy-\(SystemRandom.hexadecimal(bytes: 4)).db"
        try SQLiteIssuerStore.copy(store.path, to: path, at: Timestamp(seconds: clock.now))
        let copy = try SQLiteIssuerStore(path: path, tenant: nil, minted: store.deployment)
        if !isMarked {
            let token = try await store.contents().token ?? TokenIdentity(label: "", serial: "")
            try await copy.settle(Settlement(changes: [], token: token))
        }
        return copy
    }

    /// Stops the agent and starts it on another store.
    func restart(on store: SQLiteIssuerStore) async throws {
        await stop()
        storeInUse.withLock { $0 = store }
        try await start()
        await settle()
    }

    /// Stops the agent and does what an operator does without it.
    func offline<Value>(_ body: (OfflineAgent) async throws -> Value) async throws -> Value {
        await stop()
        return try await OfflineAgent.with(
            configuration.withLock { $0 }, store: FailingStore(store: store, failures: failures), environment: environment,
            body)
    }

    /// From the next start on, the token is that of another fixture.
    func use(tokenOf other: AgentFixture) {
        let path = other.token.modulePath
        let pin = other.configuration.withLock { $0.pin }
        configuration.withLock { configuration in
            configuration.hsm.modulePath = path
            configuration.pin = pin
        }
    }
}

extension AgentConnection {
    func reconcile(dryRun: Bool) async throws -> ReconcileResult {
        try await call(ReconcileParameters(dryRun: dryRun))
    }

    func kids(in state: String, of issuer: String = "demo") async throws -> [String] {
        try await keys(issuer).filter { $0.state == state }.map(\.kid)
    }

    /// `CKA_ID` of each private key that the ring has on the token.
    func liveKeyIDs() async throws -> Set<String> {
        Set(try await keys().compactMap(\.custody?.keyID))
    }
}
