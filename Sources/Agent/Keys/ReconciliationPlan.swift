import IssuerStore
import JOSE
import KeyLifecycle

/// What a token and a store, put side by side, ask for: shown by a dry run, executed as it stands.
///
/// A pure value of what both showed. Only what a tombstone, an intent or a pending destruction names is ever touched;
/// everything else is reported.
struct ReconciliationPlan: Hashable, Sendable {
    /// What becomes of a key pair whose generation was cut off.
    enum IntentStep: Hashable, Sendable {
        /// It is there and wanted: it becomes the standby key.
        case adopt
        /// It is there and not wanted: it is to be destroyed.
        case abandon
        /// It is not there: it leaves a tombstone, so that it is recognised should it appear.
        case bury
        /// A tombstone whose key has not appeared.
        case keep
    }

    /// What becomes of a pending destruction.
    enum DestructionStep: Hashable, Sendable {
        case destroy
        /// Its key is gone from the token it was on.
        case conclude
        /// The token shows nothing of it, and nothing says that this is the token it was on.
        case wait
        /// The token shows another key pair under its `CKA_ID`.
        case leave
    }

    struct Intent: Hashable, Sendable {
        let intent: GenerationIntent
        let step: IntentStep
    }

    struct Destruction: Hashable, Sendable {
        let destruction: PendingDestruction
        let step: DestructionStep
    }

    struct MissingKey: Hashable, Sendable {
        let issuer: IssuerName
        let kid: String
        let keyID: KeyID
        let state: KeyState
    }

    let token: TokenIdentity
    let tokenGeneration: Int
    /// The token that showed a key of the store the last time.
    let formerToken: TokenIdentity?
    /// Whether the token shows a key of the store.
    let isProven: Bool
    /// When the store was copied, if it is a copy.
    let copiedAt: Timestamp?
    let intents: [Intent]
    let destructions: [Destruction]
    /// The keys of the store that the token shows whole, under the label of their issuer.
    let wholeKeys: Set<KeyID>
    /// Published keys whose private half the token does not show.
    let missing: [MissingKey]
    /// Key objects labelled by this deployment that the store has never heard of. `issuer` is what the label says.
    let unknown: [QuarantinedKey]
    /// Those of `unknown` with a private half.
    let unknownPrivate: Set<KeyID>
    let quarantinedKeys: [QuarantinedKey]
    let quarantine: [IssuerName: Quarantine]
    /// Private keys by the deployment that their label names.
    let otherDeployments: [String: Int]
    let withoutID: Int
    let foreign: Int
}

extension ReconciliationPlan {
    /// - Parameters:
    ///   - contents: read after the inventory was made, so that every key in it has had its intent.
    ///   - recognised: those `CKA_ID`s of the inventory that the store has ever recorded.
    ///   - underWay: intents of changes under way, which are theirs to end.
    init(
        _ inventory: TokenInventory, _ contents: StoreContents, recognised: Set<KeyID>, deployment: String,
        underWay: Set<KeyID> = [], at moment: Timestamp
    ) {
        token = inventory.token
        tokenGeneration = inventory.tokenGeneration
        formerToken = contents.token
        copiedAt = contents.copiedAt
        quarantinedKeys = contents.quarantined
        withoutID = inventory.withoutID
        foreign = inventory.foreign
        let entries = inventory.entries
        let live = contents.issuers.flatMap { issuer in
            issuer.ring.published.filter { $0.lostAt == nil }.map { (issuer: issuer.name, key: $0) }
        }
        isProven = live.contains { entries[$0.key.keyID]?.publicKey == $0.key.publicKey }
        wholeKeys = Set(
            live.filter { issuer, key in
                guard let entry = entries[key.keyID] else { return false }
                return entry.privateKeys == 1 && entry.publicKey == key.publicKey
                    && entry.label == KeyLabel(deployment: deployment, issuer: issuer)
            }.map(\.key.keyID))
        missing = live.filter { (entries[$0.key.keyID]?.privateKeys ?? 0) == 0 }.map { issuer, key in
            MissingKey(issuer: issuer, kid: key.kid, keyID: key.keyID, state: key.state)
        }
        let ours = entries.values.filter { $0.label?.deployment == deployment && !recognised.contains($0.keyID) }
            .sorted { $0.keyID.bytes.lexicographicallyPrecedes($1.keyID.bytes) }
        unknown = ours.compactMap { entry in entry.label.map { QuarantinedKey(entry, of: $0.issuer, since: moment) } }
        unknownPrivate = Set(ours.filter { $0.privateKeys > 0 }.map(\.keyID))
        otherDeployments = entries.values.reduce(into: [:]) { counts, entry in
            guard let other = entry.label?.deployment, other != deployment, entry.privateKeys > 0 else { return }
            counts[other, default: 0] += 1
        }
        quarantine = Self.quarantine(
            contents, unknown: unknown.filter { [unknownPrivate] in unknownPrivate.contains($0.keyID) }, missing: missing)
        let isSameToken = contents.issuers.isEmpty && !inventory.token.serial.isEmpty && inventory.token == contents.token
        destructions = contents.destructions.map { [isProven] row in
            Destruction(
                destruction: row,
                step: Self.step(
                    row, entries[row.keyID], isProven: isProven, isOnToken: (isProven || isSameToken) && !row.isStray))
        }
        var wanting = Set(contents.issuers.filter(\.needsStandby).map(\.name))
        intents = contents.intents.filter { !underWay.contains($0.keyID) }.map { intent in
            guard let entry = entries[intent.keyID] else {
                return Intent(intent: intent, step: intent.isTombstone ? .keep : .bury)
            }
            let isWhole = entry.privateKeys == 1 && entry.publicKey != nil
            let isWanted = !intent.isTombstone && isWhole && wanting.remove(intent.issuer) != nil
            return Intent(intent: intent, step: isWanted ? .adopt : .abandon)
        }
    }

    private static func step(
        _ row: PendingDestruction, _ entry: TokenInventory.Entry?, isProven: Bool, isOnToken: Bool
    ) -> DestructionStep {
        guard let entry else { return isOnToken ? .conclude : .wait }
        guard let wanted = row.publicKey, entry.publicKeys > 0 else { return isProven ? .destroy : .wait }
        return entry.publicKey == wanted ? .destroy : .leave
    }

    private static func quarantine(
        _ contents: StoreContents, unknown: [QuarantinedKey], missing: [MissingKey]
    ) -> [IssuerName: Quarantine] {
        if let copiedAt = contents.copiedAt {
            let names = Set(contents.issuers.map(\.name)).union(unknown.map(\.issuer))
            return Dictionary(uniqueKeysWithValues: names.map { ($0, .copiedStore(copiedAt)) })
        }
        guard !unknown.isEmpty else { return [:] }
        var found = Dictionary(grouping: missing, by: \.issuer).mapValues { Quarantine.missingKeys($0.count) }
        for (name, keys) in Dictionary(grouping: unknown, by: \.issuer) { found[name] = .unknownKeys(keys.count) }
        return found
    }

    /// The difference of one issuer.
    func difference(of name: IssuerName) -> KeyDifference {
        KeyDifference(
            missing: Set(missing.filter { $0.issuer == name }.map(\.keyID)),
            unknown: unknown.filter { $0.issuer == name && unknownPrivate.contains($0.keyID) })
    }
}

extension QuarantinedKey {
    fileprivate init(_ entry: TokenInventory.Entry, of issuer: IssuerName, since moment: Timestamp) {
        let kid = entry.privateKeys <= 1 ? entry.publicKey.flatMap { try? PublicKey(subjectPublicKeyInfo: $0).kid } : nil
        self.init(
            keyID: entry.keyID, kid: kid, issuer: issuer, publicKey: kid == nil ? nil : entry.publicKey, since: moment)
    }
}
