import AgentProtocol
import AgentSettings
import EtcdStore
import IssuerStore
import Platform

/// A store that is open, and the connections under it.
struct OpenStore: Sendable {
    let storage: any IssuerStorage
    private let gateway: EtcdGateway?

    init(_ storage: any IssuerStorage, gateway: EtcdGateway? = nil) {
        (self.storage, self.gateway) = (storage, gateway)
    }

    /// This agent among those that share the store; `nil` for a store of its own.
    func member(_ setting: StoreSetting) -> FleetMember? {
        guard let store = storage as? EtcdIssuerStore, case .etcd(let settings) = setting else { return nil }
        return store.member(
            host: HostName.current(), release: ProtocolVersion.agent, staleness: settings.maxStaleness)
    }

    /// To be called once the store is not used any more.
    func close() async {
        await (storage as? EtcdIssuerStore)?.close()
        await gateway?.close()
    }

    /// Calls with a store and closes it.
    static func with<Value>(
        _ open: () async throws -> OpenStore, _ body: (any IssuerStorage) async throws -> Value
    ) async throws -> Value {
        let store = try await open()
        do {
            let value = try await body(store.storage)
            await store.close()
            return value
        } catch {
            await store.close()
            throw error
        }
    }
}

/// How a process uses a store.
enum StoreUse {
    /// Beside whoever changes it, leaving everything as it is, what this machine remembers included.
    case reading
    /// Alone, or with agents of other machines: what lies beside the store is locked.
    case changing
    /// As `changing`, also where a command has begun what must be alone with the store and was cut off.
    case recovering

    /// The states in which a store in etcd may be.
    var admitted: Set<StoreState> { self == .recovering ? [.live, .recovering] : [.live] }
}

extension EtcdSettings {
    /// Connects to the cluster.
    ///
    /// - Throws: `PlatformError` for a file that cannot be relied on, `EtcdError`.
    func gateway() throws -> EtcdGateway {
        try checkFiles()
        return try EtcdGateway(access, clock: MonotonicClock.nanoseconds)
    }

    /// This process as the one that uses the store, by the lock of the memory, which it holds.
    func user(trusting trusted: TrustedDirectories) -> EtcdIssuerStore.User {
        var user = EtcdIssuerStore.User(
            agent: agent, incarnation: SystemRandom.hexadecimal(bytes: 16), memory: memory, isLocked: true)
        user.trusted = trusted
        return user
    }

    /// Opens the store through a gateway, which is closed when that fails.
    ///
    /// - Throws: `StoreError`, with `.missing` where there is none.
    func open(
        _ use: StoreUse, tenant: String?, over gateway: EtcdGateway, trusting trusted: TrustedDirectories
    ) async throws -> OpenStore {
        do {
            let store = try await EtcdIssuerStore.open(
                gateway, prefix: prefix, user: user(trusting: trusted), tenant: tenant, admitting: use.admitted,
                reading: use == .reading)
            return OpenStore(store, gateway: gateway)
        } catch {
            await gateway.close()
            throw error
        }
    }
}
