public import KeyLifecycle

/// A whole store as a value, for another one to take over: its contents, and every `CKA_ID` that has come to its end.
public struct StoreExport: Equatable, Sendable {
    /// With the tenant that the store has, whatever a configuration says.
    public var deployment: Deployment
    /// By name, with the keys that have ended.
    public var issuers: [Issuer]
    /// The last generation of each deleted issuer.
    public var formerGenerations: [IssuerName: Int]
    /// Open intents and tombstones, oldest first. Whose they were is not kept: nobody is there any more who could end them.
    public var intents: [GenerationIntent]
    /// Destructions not yet carried out, oldest first.
    public var destructions: [PendingDestruction]
    /// In the order they were put there.
    public var quarantined: [QuarantinedKey]
    /// Keys that are gone, by their `CKA_ID`, which no other key may have.
    public var gone: [KeyID: GoneKey]
    /// The latest moment of any commit; `nil` without an issuer, present or former.
    public var lastChange: Timestamp?
    public var token: TokenIdentity?
    public var copiedAt: Timestamp?
    /// Starts of agents whose notes on the token are this store's own.
    public var agents: Set<String>
    /// How many frontends watched the agent that used it last, on the machine that exports it.
    public var frontends: Int
    /// The PIN source that the token has refused on the machine that exports it.
    public var refusedPIN: RefusedPIN?

    /// - Parameters:
    ///   - contents: of the store, all of one moment.
    ///   - gone: what contents do not say any more.
    public init(deployment: Deployment, contents: StoreContents, gone: [KeyID: GoneKey], refusedPIN: RefusedPIN?) {
        self.deployment = deployment
        issuers = contents.issuers
        formerGenerations = contents.formerGenerations
        intents = contents.intents.map { intent in
            GenerationIntent(
                keyID: intent.keyID, issuer: intent.issuer, algorithm: intent.algorithm, recordedAt: intent.recordedAt,
                isTombstone: intent.isTombstone)
        }
        destructions = contents.destructions
        quarantined = contents.quarantined
        self.gone = gone
        lastChange = issuers.isEmpty && formerGenerations.isEmpty ? nil : contents.lastChange
        token = contents.token
        copiedAt = contents.copiedAt
        agents = contents.agents
        frontends = contents.frontends
        self.refusedPIN = refusedPIN
    }

    /// What has become of a private key that is not there any more.
    public struct GoneKey: Hashable, Sendable {
        /// Of the issuer it belonged to, as far as that is known.
        public var issuer: String
        /// Whether it went with a token, instead of being destroyed on it.
        public var isLost: Bool
        public var at: Timestamp

        public init(issuer: String, isLost: Bool, at: Timestamp) {
            (self.issuer, self.isLost, self.at) = (issuer, isLost, at)
        }
    }

    /// The generation of each issuer, those that are deleted included.
    public var generations: [IssuerName: Int] {
        issuers.reduce(into: formerGenerations) { $0[$1.name] = $1.generation }
    }

    /// What is in it, in numbers, for people.
    public var summary: String {
        let keys = issuers.reduce(0) { $0 + $1.ring.keys.count }
        return "\(issuers.count) issuers with \(keys) keys, \(formerGenerations.count) former issuers, \(intents.count) intents, "
            + "\(destructions.count) destructions under way, \(quarantined.count) keys in quarantine, \(gone.count) keys that are gone"
    }
}
