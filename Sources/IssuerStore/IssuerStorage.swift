public import KeyLifecycle

/// Durable state of one deployment: issuers with their keys, and what has to be finished on the token.
///
/// Every change of an issuer is one compare-and-swap commit on its generation, since other agents may write to the same
/// store. A call that returns has made its effect durable; one that throws has had none.
///
/// - Throws: `StoreError` from every call: `.conflict` where it says so, `.unavailable` when the store cannot be read or
///   written just now.
public protocol IssuerStorage: Sendable {
    /// The identity of the deployment; the same for the life of the store.
    var deployment: Deployment { get }

    /// Everything, as of one moment.
    func contents() async throws -> StoreContents

    /// Commits a change of an issuer: the issuer's row and keys, a pending destruction for each key the change destroys,
    /// and the end of the intents it fulfils, all or nothing.
    ///
    /// - Parameter fulfilling: the intents of the keys that are new in the change, all of them and no other but the one it
    ///   retains. They must be open: so no key enters a ring whose generation the store was not told of beforehand.
    /// - Returns: the revision of a shared store that this has made; `nil` from a store that has none.
    /// - Throws: `StoreError` with `.conflict` when the issuer has not the expected generation (or exists already, or is
    ///   gone, or is new with a generation that a deleted one of its name had already), when the change was made from other keys than those in the store (an issuer of the same name has been
    ///   deleted and created again), or when an intent is not open.
    @discardableResult
    func commit(_ change: IssuerChange, fulfilling: [KeyID]) async throws -> Int64?

    /// Notes that a key pair with this `CKA_ID` is about to be generated. Must be durable before the token is asked.
    ///
    /// - Throws: `StoreError` with `.conflict` when the `CKA_ID` has been used before.
    func record(_ intent: GenerationIntent) async throws

    /// Turns an open intent into a tombstone: the key was not seen, but may yet appear under this `CKA_ID`.
    /// A tombstone stays one.
    ///
    /// - Throws: `StoreError` with `.conflict` when there is neither: the key may be in a ring.
    func bury(_ keyID: KeyID) async throws

    /// Turns an intent, a tombstone or a key in quarantine into a pending destruction: the key is there and not wanted.
    /// A destruction that is pending already stays as it is.
    ///
    /// - Parameter publicKey: SubjectPublicKeyInfo of the pair, where the token shows one; a key in quarantine keeps its own.
    /// - Throws: `StoreError` with `.conflict` when there is none of these: the key may be in a ring.
    func abandon(_ keyID: KeyID, publicKey: [UInt8]?, at moment: Timestamp) async throws

    /// Notes that a pending destruction has been carried out. The first moment noted stays.
    ///
    /// - Throws: `StoreError` with `.conflict` when the key is not to be destroyed.
    func markDestroyed(_ keyID: KeyID, at moment: Timestamp) async throws

    /// Notes of every pending destruction that its key may be on another token than the one in use: from now on it counts
    /// as carried out only once the key has been seen.
    func strandDestructions() async throws

    /// Which of these the store has ever recorded, in whatever role: an intent, a key of a ring, in quarantine or destroyed.
    func recognised(_ keyIDs: Set<KeyID>) async throws -> Set<KeyID>

    /// Keeps which token has last shown a key of this store.
    func noteToken(_ token: TokenIdentity) async throws

    /// Commits what an operator has decided about a store and a token that no longer agree, all or nothing. The store is no
    /// copy from then on.
    ///
    /// - Throws: `StoreError` with `.conflict` as `commit` does.
    func settle(_ settlement: Settlement) async throws

    /// Keeps starts of agents as those of this store, or as accepted by an operator: their notes on the token say nothing of
    /// anybody else.
    func noteAgents(_ ids: Set<String>) async throws

    /// What they leave on the token is somebody else's from now on.
    func forgetAgents(_ ids: Set<String>) async throws

    /// Remembers how many frontends watch the agent.
    func noteFrontends(_ count: Int) async throws

    /// Makes sure that the next start will find what is committed. Asked now and then; each commit asks by itself.
    ///
    /// - Throws: `StoreError` with `.displaced` when the store has been removed, moved or replaced while it was in use.
    func checkPlace() async throws

    /// Writes something that means nothing, to find out whether a store that failed works again.
    func probe() async throws

    /// Writes everything into a new file where the store belongs, if it is not there any more, and goes on in that one.
    ///
    /// - Returns: the file; `nil` when the store is where it belongs and nothing was done.
    /// - Throws: `StoreError` when it cannot be written, or something is in its place: nothing is replaced.
    func save() async throws -> String?

    /// The PIN source that the token has refused, if there is one.
    func refusedPIN() async throws -> RefusedPIN?

    /// Keeps, or with `nil` forgets, the PIN source that the token has refused.
    func setRefusedPIN(_ refused: RefusedPIN?) async throws
}

extension IssuerStorage {
    /// As `abandon(_:publicKey:at:)`, for a key whose public half nobody has seen.
    public func abandon(_ keyID: KeyID, at moment: Timestamp) async throws {
        try await abandon(keyID, publicKey: nil, at: moment)
    }
}

/// What identifies a deployment.
public struct Deployment: Hashable, Sendable {
    /// Part of each key's `CKA_LABEL`: `privyseal/<id>/<issuer>`. 32 lower-case hexadecimal digits, random.
    public let id: String
    /// A path segment of every issuer URL: a random UUID, unless the configuration names another.
    public let tenant: String

    public init(id: String, tenant: String) {
        self.id = id
        self.tenant = tenant
    }
}

/// A whole store, read in one transaction.
public struct StoreContents: Sendable {
    /// By name.
    public var issuers: [Issuer]
    /// Open intents and tombstones, oldest first.
    public var intents: [GenerationIntent]
    /// Destructions not yet carried out, oldest first.
    public var destructions: [PendingDestruction]
    /// The latest moment of any commit.
    public var lastChange: Timestamp?
    /// In the order they were put there.
    public var quarantined: [QuarantinedKey]
    /// The last generation of each deleted issuer.
    public var formerGenerations: [IssuerName: Int]
    /// The token that last showed a key of this store.
    public var token: TokenIdentity?
    /// When this store was copied from another, as long as nobody has settled what the other did since.
    public var copiedAt: Timestamp?
    /// Starts of agents whose notes on the token are this store's own.
    public var agents: Set<String>
    /// How many frontends watched the agent that used it last.
    public var frontends: Int

    public init(
        issuers: [Issuer], intents: [GenerationIntent], destructions: [PendingDestruction], lastChange: Timestamp?,
        quarantined: [QuarantinedKey] = [], formerGenerations: [IssuerName: Int] = [:], token: TokenIdentity? = nil,
        copiedAt: Timestamp? = nil, agents: Set<String> = [], frontends: Int = 0
    ) {
        self.issuers = issuers
        self.intents = intents
        self.destructions = destructions
        self.lastChange = lastChange
        self.quarantined = quarantined
        self.formerGenerations = formerGenerations
        self.token = token
        self.copiedAt = copiedAt
        self.agents = agents
        self.frontends = frontends
    }
}

/// A token by what it says of itself.
public struct TokenIdentity: Hashable, Sendable, CustomStringConvertible {
    public let label: String
    public let serial: String

    public init(label: String, serial: String) {
        self.label = label
        self.serial = serial
    }

    public var description: String { "\"\(label)\" (serial \(serial))" }
}

/// What an operator has decided about a store and a token that no longer agree.
public struct Settlement: Sendable {
    /// Each change with the intents it fulfils.
    public var changes: [(change: IssuerChange, fulfilling: [KeyID])]
    /// The token whose keys count from now on.
    public var token: TokenIdentity
    /// When every private key that is to be destroyed or in quarantine was lost with a former token; `nil` when none was.
    public var lostAt: Timestamp?

    public init(changes: [(change: IssuerChange, fulfilling: [KeyID])], token: TokenIdentity, lostAt: Timestamp? = nil) {
        self.changes = changes
        self.token = token
        self.lostAt = lostAt
    }
}

/// A key pair that was about to be generated.
public struct GenerationIntent: Hashable, Sendable {
    public let keyID: KeyID
    /// The issuer it is for, which may not exist yet.
    public let issuer: IssuerName
    public let algorithm: SignatureAlgorithm
    public let recordedAt: Timestamp
    /// Whether it has been given up; its key may still appear on the token.
    public let isTombstone: Bool
    /// The start of the agent that recorded it, where several share a store: as long as that one is there, the generation is its own
    /// to end.
    public let incarnation: String?

    public init(
        keyID: KeyID, issuer: IssuerName, algorithm: SignatureAlgorithm, recordedAt: Timestamp, isTombstone: Bool = false,
        incarnation: String? = nil
    ) {
        self.keyID = keyID
        self.issuer = issuer
        self.algorithm = algorithm
        self.recordedAt = recordedAt
        self.isTombstone = isTombstone
        self.incarnation = incarnation
    }
}

/// A key pair that has to go from the token.
public struct PendingDestruction: Hashable, Sendable {
    public let keyID: KeyID
    /// The issuer it belonged to.
    public let issuer: IssuerName
    public let requestedAt: Timestamp
    /// SubjectPublicKeyInfo of the pair: what shows another one under the same `CKA_ID` is not this pair. `nil` when it was
    /// never seen.
    public let publicKey: [UInt8]?
    /// Whether it may be on another token than the one in use.
    public let isStray: Bool

    public init(
        keyID: KeyID, issuer: IssuerName, requestedAt: Timestamp, publicKey: [UInt8]? = nil, isStray: Bool = false
    ) {
        self.keyID = keyID
        self.issuer = issuer
        self.requestedAt = requestedAt
        self.publicKey = publicKey
        self.isStray = isStray
    }
}

/// A PIN source the token has refused, remembered so that the same PIN is never sent again.
public struct RefusedPIN: Hashable, Sendable {
    /// Identifies the state of the source, not the PIN: a file's device, inode, size and time of change.
    public let source: String
    /// The return value the token gave, by its `CKR_*` name.
    public let returnValue: String
    public let at: Timestamp

    public init(source: String, returnValue: String, at: Timestamp) {
        self.source = source
        self.returnValue = returnValue
        self.at = at
    }
}
