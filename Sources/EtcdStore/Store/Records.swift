import Foundation

/// A value in etcd. Each carries the id of the change that wrote it, by which an answer that was lost is made up for.
protocol StoreRecord: Codable, Sendable {
    var change: String { get set }
}

/// What rules the whole store. Every change compares its revision, so it is written on rare occasions only.
struct MetaRecord: StoreRecord {
    var change = ""
    /// Of the layout.
    var schema = EtcdIssuerStore.schema
    var deployment: String
    var tenant: String
    /// `StoreState`, or one of a later release.
    var state: String
    /// The oldest format that a release must know to take part.
    var oldest = EtcdIssuerStore.schema
    /// Counts migrations and recoveries.
    var epoch = 1
    /// By a key in the token over deployment and epoch; absent where a process without a session has written it.
    var epochSeal: String?
    var copiedAt: Int64?
    /// Where it counts now, once it has been moved away.
    var movedTo: String?
}

/// Changed by every commit: as long as it is the same, so is everything else.
struct HeadRecord: StoreRecord {
    var change = ""
}

struct KeyRecord: Codable, Hashable, Sendable {
    /// Place in the ring, in the order in which the keys were made.
    var position: Int
    var kid: String
    var keyID: String
    var algorithm: String
    var publicKey: Data
    var state: String
    var publishedAt: Int64
    var knownFrom: Int64
    var activatedAt: Int64?
    var retiringAt: Int64?
    var expiresAt: Int64?
    var retiredAt: Int64?
    var revokedAt: Int64?
    var latestExpiry: Int64?
    var lostAt: Int64?
}

struct SettingsRecord: Codable, Hashable, Sendable {
    var algorithm: String
    var rsaBits: Int
    var defaultIssuer: String
    var lifetime: Int
    var maximumLifetime: Int
    var overlap: Int
    var jwksMaxAge: Int
    var notBeforeSkew: Int
    var standby: Bool
    var rotateEvery: Int?
}

struct AcceptedIssuerRecord: Codable, Hashable, Sendable {
    var url: String
    var expiresAt: Int64
}

struct IssuerRecord: StoreRecord {
    var change = ""
    var generation: Int
    /// How far a change in several steps has come: `Phase`, or one of a later release, which knows more of it.
    var phase = Phase.settled.rawValue
    /// By a key in the token over everything of the issuer: `RecordSeal`. Empty in a store whose records no agent has sealed yet.
    var seal = ""
    /// The moment of the latest commit, which no later one goes behind.
    var committedAt: Int64
    var createdAt: Int64
    var changedAt: Int64
    var settings: SettingsRecord
    var url: String?
    var accepted: [AcceptedIssuerRecord]
    var lastRotationAt: Int64?
    var maxAgeHorizon: Int64?
    var rotationRequestedAt: Int64?
    /// There in the phase `revoking`.
    var revoking: RevocationRecord?
    /// All keys of the ring, those that have ended included, so that none can be missed.
    var keys: Int
    /// The published keys, by token group.
    var rings: [String: [KeyRecord]]
}

extension IssuerRecord {
    enum Phase: String {
        case settled
        /// The fresh key of a revocation is published, and its take-over not committed.
        case revoking
    }
}

/// A revocation that has been begun.
struct RevocationRecord: Codable, Hashable, Sendable {
    var by: ActorRecord?
    var kids: [String]
    var successor: String
    var begunAt: Int64
}

struct EndedKeyRecord: StoreRecord {
    var change = ""
    var group = StoreLayout.group
    var key: KeyRecord
}

struct FormerRecord: StoreRecord {
    var change = ""
    var generation: Int
    var deletedAt: Int64
}

/// Whose doing something is: an agent, and which of its starts.
struct ActorRecord: Codable, Hashable, Sendable {
    var agent: String
    var incarnation: String
}

struct IntentRecord: StoreRecord {
    var change = ""
    var group = StoreLayout.group
    var by: ActorRecord
    var issuer: String
    var algorithm: String
    var recordedAt: Int64
    var tombstone: Bool
}

struct DestructionRecord: StoreRecord {
    var change = ""
    var group = StoreLayout.group
    var by: ActorRecord
    /// Among those of one change.
    var order: Int
    var issuer: String
    var requestedAt: Int64
    var publicKey: Data?
    var stray: Bool
}

struct QuarantinedRecord: StoreRecord {
    var change = ""
    var group = StoreLayout.group
    var by: ActorRecord
    /// Among those of one change.
    var order: Int
    var kid: String?
    var issuer: String
    var publicKey: Data?
    var since: Int64
}

/// What became of a `CKA_ID`.
struct KeyIDRecord: StoreRecord {
    enum Role: String {
        case intent, key, quarantined, destruction, destroyed, lost
    }

    var change = ""
    /// `Role`, or one of a later release.
    var role: String
    var issuer: String
    /// When it came to this role, where that is known.
    var at: Int64?

    init(_ role: Role, issuer: String, at: Int64? = nil) {
        self.role = role.rawValue
        self.issuer = issuer
        self.at = at
    }
}

struct KidRecord: StoreRecord {
    var change = ""
    var keyID: String
    var issuer: String
}

struct TokenRecord: StoreRecord {
    var change = ""
    var label: String
    var serial: String
}

/// A start of an agent, or a probe: that it is there is all.
struct MarkRecord: StoreRecord {
    var change = ""
}

/// The one thing that is asked of any record.
struct AnyRecord: Decodable {
    var change: String?
}

/// An agent that may sign.
struct MemberRecord: StoreRecord {
    var change = ""
    var group = StoreLayout.group
    var incarnation: String
    /// Of its machine's memory.
    var keeper: String
    var host: String
    var release: String
    var staleness: Int
    /// It has not been there, and goes unless it takes this away in time. Absent in one that is waited for as any other.
    var leaving: Bool?
}

/// An agent that is there, under its lease.
struct PresenceRecord: StoreRecord {
    var change = ""
    var group = StoreLayout.group
    var incarnation: String
    var release: String
    var staleness: Int
    /// What its wall clock shows, in milliseconds since 1970.
    var clock: Int64
}

/// How far an agent has come, under its lease.
struct ReportRecord: StoreRecord {
    var change = ""
    var incarnation: String
    var revision: Int64
    var draining: [String]
    var unserved: [String]
    var unusable: [String]
    var behind: Bool
    var frontends: Int
    /// Absent in one of an agent that has none.
    var followers: [FollowerRecord]?
    /// Deleted issuers that a frontend may still serve; absent where there are none.
    var withdrawn: [String]?
}

/// A frontend that follows an agent, or several that are not named.
struct FollowerRecord: Codable, Hashable, Sendable {
    var number: UInt64?
    var uid: UInt32?
    var user: String?
    var pid: Int32?
    var count: Int
    var staleAfter: Int
    /// What it does not serve: places among `unserved` of the report and, after these, its `withdrawn`, which would not fit so often.
    var behind: [Int]
}

/// Who makes a standby key, under its lease.
struct ClaimRecord: StoreRecord {
    var change = ""
    var by: ActorRecord
}

/// The last signed head of an agent's audit log.
struct AuditHeadRecord: StoreRecord {
    var change = ""
    var incarnation: String
    var seq: Int64
    /// Hexadecimal.
    var hash: String
    var kid: String
    var signature: String
    /// By the agent's wall clock, in milliseconds since 1970.
    var signedAt: Int64
}
