public import IssuerStore
import KeyLifecycle
public import Platform

/// Whether a store in etcd may be used.
public struct StoreState: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Agents use it.
    public static let live = StoreState(rawValue: "live")
    /// It is being filled from another store.
    public static let migrating = StoreState(rawValue: "migrating")
    /// It has been copied into another store, which counts from then on.
    public static let copied = StoreState(rawValue: "copied")
    /// A recovery that was too large for one transaction has begun and not ended.
    public static let recovering = StoreState(rawValue: "recovering")
}

/// The store in etcd, for the agents of several machines.
///
/// Each change is one transaction that compares the revisions of all it was decided by, and each changes `head`. An answer that
/// is lost is made up for: the change is sent again, which does nothing if it was made, and is known by its id.
public struct EtcdIssuerStore: SharedIssuerStorage, SealedStorage {
    /// Of the layout and of the records.
    public static let schema = 1

    public let deployment: Deployment
    public let gateway: EtcdGateway
    let layout: StoreLayout
    let memory: LocalMemory
    let by: ActorRecord
    /// The states in which it may be changed by this process.
    let admitted: Set<StoreState>
    /// Whether nothing is changed, neither in etcd nor in the memory of this machine.
    var isReadOnly = false
    let presence: Locked<Presence>
    /// The last view that was read.
    let cache: Locked<StoredView?>
    let seals: Locked<Seals>
    let turns = Turns()

    /// Who uses a store, and where.
    public struct User: Sendable {
        /// The agent's id, which no other agent of the fleet has; with `nil` a random one that its memory keeps.
        public var agent: String?
        /// Random, of this start.
        public var incarnation: String
        /// The file of what this machine remembers of the store, locked as long as the store is open; `nil` for a command that looks
        /// in beside an agent and remembers nothing.
        public var memory: String?
        /// Whether the caller holds the lock of the memory, `<memory>.lock`, for as long as the store is open.
        public var isLocked: Bool
        /// Directories in which others could put files by their mode, and do not.
        public var trusted = TrustedDirectories.none

        public init(agent: String?, incarnation: String, memory: String?, isLocked: Bool = false) {
            self.agent = agent
            self.incarnation = incarnation
            self.memory = memory
            self.isLocked = isLocked
        }
    }

    /// Makes a store, once.
    ///
    /// - Parameter prefix: under which it lies, and nothing else may: `/privyseal`.
    /// - Throws: `StoreError` with `.conflict` when there is one under the prefix.
    public static func make(_ gateway: EtcdGateway, prefix: String, minted: Deployment, state: StoreState = .live)
        async throws(StoreError)
    {
        try checkPrefix(prefix)
        let layout = StoreLayout(prefix: prefix, deployment: minted.id)
        var change = StoreChange(id: SystemRandom.hexadecimal(bytes: 16))
        try change.put(layout.meta, MetaRecord(deployment: minted.id, tenant: minted.tenant, state: state.rawValue))
        var transaction = try change.transaction(head: layout.head)
        transaction.comparisons.append(.noneIn(.prefix(StoreLayout.root(prefix))))
        let isMade = try await uncancelled { [change, transaction] () throws(StoreError) in
            try await carryOut(change, transaction, gateway) != nil
        }
        guard isMade else {
            throw StoreError(
                .conflict, "there is a store in etcd under \(prefix) already",
                hint: "start the agent with it, or choose another prefix for another deployment")
        }
    }

    /// Opens the store under a prefix.
    ///
    /// - Parameters:
    ///   - tenant: the configured tenant, which counts instead of the stored one as long as it is configured.
    ///   - admitted: the states in which it may be.
    ///   - isReadOnly: whether it is opened beside whoever uses it, for reading only: every call that writes throws `.unavailable`.
    /// - Throws: `StoreError` with `.missing` when there is none, `.displaced` when it is another deployment's than this machine
    ///   has used, `.occupied` when another process has the memory, `.newerSchema` when this release is too old for it, `.unavailable`
    ///   when its state is not admitted.
    public static func open(
        _ gateway: EtcdGateway, prefix: String, user: User, tenant: String? = nil, admitting admitted: Set<StoreState> = [.live],
        reading isReadOnly: Bool = false
    ) async throws(StoreError) -> EtcdIssuerStore {
        try checkPrefix(prefix)
        return try await uncancelled { () async throws(StoreError) -> EtcdIssuerStore in
            for name in [user.agent, user.incarnation].compactMap(\.self) { try checkName(name) }
            let memory = try await LocalMemory(
                path: user.memory, isReadOnly: isReadOnly, isLocked: user.isLocked, trusting: user.trusted)
            let id = try await deployment(gateway, prefix)
            let layout = StoreLayout(prefix: prefix, deployment: id)
            let values = try await EtcdIssuerStore.asking { () async throws(EtcdError) in
                try await gateway.read(.key(layout.meta)).values
            }
            guard let value = values.first else {
                throw .edited("\(layout.meta) is missing")
            }
            let meta = try MetaRecord.decoded(value)
            guard meta.deployment == id else { throw .edited("\(layout.meta) is of the deployment \(meta.deployment)") }
            try check(meta, admitted)
            if let known = await memory.content.deployment, known != id {
                throw StoreError(
                    .displaced, "under \(prefix) in etcd lies the deployment \(id), and this machine has used \(known)",
                    hint:
                        "check endpoints and prefix; to join the other deployment, move \(user.memory ?? "the memory") away first"
                )
            }
            let minted = SystemRandom.hexadecimal(bytes: 8)
            try await memory.keep { memory in
                memory.deployment = id
                if user.agent == nil, memory.agent == nil { memory.agent = minted }
            }
            let remembered = await memory.content.agent
            let agent = user.agent ?? remembered ?? minted
            return EtcdIssuerStore(
                deployment: Deployment(id: id, tenant: tenant ?? meta.tenant), gateway: gateway, layout: layout, memory: memory,
                by: ActorRecord(agent: agent, incarnation: user.incarnation), admitted: admitted, isReadOnly: isReadOnly,
                presence: Locked(Presence()), cache: Locked(nil), seals: Locked(Seals()))
        }
    }

    /// Lets others have the memory, with everything written into it. To be called once, at the end; the gateway stays open.
    public func close() async {
        await memory.close()
    }

    private static func checkName(_ name: String) throws(StoreError) {
        let isAllowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isAllowed, (1...64).contains(name.utf8.count) else {
            throw StoreError(
                .unavailable, "\(String(reflecting: name)) cannot be an agent's id",
                hint: "give one of 1 to 64 letters, digits, dots, hyphens and underscores")
        }
    }

    /// The one deployment under a prefix.
    private static func deployment(_ gateway: EtcdGateway, _ prefix: String) async throws(StoreError) -> String {
        let root = StoreLayout.root(prefix)
        let range = EtcdKeyRange.prefix(root)
        let first = try await asking { () async throws(EtcdError) in try await gateway.names(range, limit: 1) }.first
        guard let first else {
            throw StoreError(
                .missing, "there is no store in etcd under \(prefix)",
                hint: "check endpoints and prefix, or restore etcd's snapshot; for a deployment that is new: privyseald init")
        }
        let id = String(first.name.dropFirst(root.count).prefix { $0 != "/" })
        if let other = try await otherDeployment(than: id, gateway, prefix) {
            throw .twoDeployments(under: prefix, id, other)
        }
        return id
    }

    /// Another deployment that something of lies under the prefix.
    static func otherDeployment(
        than id: String, _ gateway: EtcdGateway, _ prefix: String
    ) async throws(StoreError) -> String? {
        let root = StoreLayout.root(prefix)
        let (all, own) = (EtcdKeyRange.prefix(root), EtcdKeyRange.prefix("\(root)\(id)/"))
        for range in [EtcdKeyRange(start: all.start, end: own.start), EtcdKeyRange(start: own.end, end: all.end)] {
            let found = try await asking { () async throws(EtcdError) in try await gateway.names(range, limit: 1) }
            let name = found.first.map { String($0.name.dropFirst(root.count).prefix { $0 != "/" }) }
            if let name, name != id { return name }
        }
        return nil
    }

    /// - Throws: `StoreError` for a text that can be no prefix.
    public static func checkPrefix(_ prefix: String) throws(StoreError) {
        guard prefix.hasPrefix("/"), prefix.utf8.count <= 200, !prefix.hasSuffix("/"), !prefix.contains("//"),
            prefix.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw StoreError(
                .unavailable, "\(String(reflecting: prefix)) is no prefix for a store in etcd",
                hint: "give one such as /privyseal: it begins with a slash, ends without one, and is printable ASCII")
        }
    }

    /// - Throws: `StoreError` for a store that this process may not use as it is.
    static func check(_ meta: MetaRecord, _ admitted: Set<StoreState>) throws(StoreError) {
        guard meta.schema <= schema, meta.oldest <= schema else {
            throw StoreError(
                .newerSchema,
                "the store in etcd is kept by newer releases (format \(max(meta.schema, meta.oldest)), this one knows "
                    + "\(schema))", hint: "run that release or a later one on this machine too")
        }
        guard !admitted.contains(StoreState(rawValue: meta.state)) else { return }
        switch StoreState(rawValue: meta.state) {
        case .migrating:
            throw StoreError(
                .moved, "the store in etcd is being filled from another store, and that has not ended",
                hint: "go on with privyseald store move, with the configuration that it was begun with")
        case .copied:
            throw StoreError(
                .moved, "the store in etcd has been moved to \(meta.movedTo ?? "another place"), and that one counts",
                hint: "configure it as store; to come back, move it here again: privyseald store move --to etcd")
        case .recovering:
            throw StoreError(
                .unavailable, "a recovery of the store in etcd has begun and not ended",
                hint: "run the same privyseald command again; what it has done already it leaves as it is")
        default:
            throw StoreError(
                .newerSchema,
                "the store in etcd is in the state \(String(reflecting: meta.state)), which this release does not know",
                hint: "run the release that put it there, or a later one")
        }
    }

    /// A call that has begun ends one way or the other even when the caller is cancelled, since the token may have been changed
    /// for it already.
    static func uncancelled<Value: Sendable>(
        _ body: @escaping @Sendable () async throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        let result: Result<Value, StoreError> = await Task {
            do throws(StoreError) { return .success(try await body()) } catch { return .failure(error) }
        }.value
        return try result.get()
    }

    static func asking<Value: Sendable>(
        _ body: () async throws(EtcdError) -> Value
    ) async throws(StoreError) -> Value {
        do throws(EtcdError) { return try await body() } catch { throw StoreError(error) }
    }
}
