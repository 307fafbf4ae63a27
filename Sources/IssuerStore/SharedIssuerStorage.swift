public import KeyLifecycle

/// A store that the agents of several machines share.
///
/// What it tells by itself (`watch`, who is there) is a hint to look. What holds is what a linearizable read or a commit says.
/// - Throws: `StoreError` from every call.
public protocol SharedIssuerStorage: IssuerStorage {
    /// The id of the agent that this is opened for, which no other of the fleet has.
    var agent: String { get }

    /// Reads everything as of one revision.
    ///
    /// - Throws: `StoreError` with `.corrupt` for what no release writes, unless it is about one issuer: that is in
    ///   `StoreView.unreadable`.
    func view() async throws -> StoreView

    /// Reads one word, linearizably. As long as it is the same, everything that is committed is.
    ///
    /// - Throws: `StoreError` with `.displaced` when the store is gone.
    func head() async throws -> HeadReading

    /// Says that something may have changed, until that cannot be told any more or the task is cancelled.
    ///
    /// - Parameter revision: of the last view that was read.
    /// - Throws: always, and whatever happened since the last hint has to be read before the next watch.
    func watch(after revision: Int64, _ hint: @escaping @Sendable (StoreHint) async -> Void) async throws

    /// Enters this agent among the members, which others wait for from then on. To be called before the first view is read.
    ///
    /// - Throws: `StoreError` with `.occupied` when an agent with this id is there.
    func join(_ member: FleetMember) async throws

    /// Says that this agent is still there, and what its wall clock shows. To be called every ten seconds.
    ///
    /// - Parameter clock: the wall clock, in milliseconds since 1970.
    /// - Throws: `StoreError` with `.occupied` when another agent has taken the id.
    func renew(clock: Int64) async throws

    /// Says how far this agent has come.
    func report(_ report: MemberReport) async throws

    /// Takes this agent from the members: it signs nothing any more.
    func leave() async throws

    /// Who takes part, and how far each has come.
    func fleet() async throws -> FleetReading

    /// Takes another agent from the members, which has not been there for so long that it cannot sign any more, unless it has come
    /// back.
    func dismiss(_ member: FleetMember) async throws

    /// Claims the making of an issuer's next standby key, as long as this agent is there. A hint that saves work, no lock.
    ///
    /// - Returns: false when another agent has the claim.
    func claimStandby(of issuer: IssuerName) async throws -> Bool

    /// Gives a claim back. One that this agent has not is left alone.
    func releaseStandby(of issuer: IssuerName) async throws

    /// Shows the others how far this agent's audit log has come, in place of what it showed before. It stays when the agent leaves.
    ///
    /// - Throws: `StoreError` with `.occupied` when another agent has taken the id.
    func publish(_ head: PublishedHead) async throws

    /// What each agent has shown last of its audit log, one that has left included. What cannot be read is left out.
    func heads() async throws -> [PublishedHead]

    /// What is wrong with parts of the store, whether it works without them or not: each is asked by itself. For once a minute.
    func troubles() async -> [StoreError]
}

extension SharedIssuerStorage {
    /// A store without parts has nothing to say here.
    public func troubles() async -> [StoreError] { [] }
}

/// Everything in a shared store, and what confirms it.
public struct StoreView: Sendable {
    public var contents: StoreContents
    public var head: StoreHead
    /// The revision of the store as of which this is; a watch goes on after it.
    public var revision: Int64
    /// When the read was sent, in nanoseconds of `CLOCK_BOOTTIME`: the view counts as confirmed from that moment on.
    public var sentAt: Int64
    /// What this machine has seen further on than it is now. Such a store is an old one.
    public var regressions: [StoreRegression]
    /// Issuers whose record cannot be believed, and why: one line. They are not among the contents.
    public var unreadable: [IssuerName: String]
    /// Issuers whose record is new, and of whose seal the token cannot say anything just now: as the record has them. They are not
    /// among the contents, and stay what they were known to be. The next view asks once more.
    public var unverified: [IssuerName: Issuer]
    /// Whether it says that an operator has decided about it, and the token cannot say just now whether that is so. Until a later view
    /// asks once more, it is taken for none.
    public var isDecisionUnproven: Bool

    public init(
        contents: StoreContents, head: StoreHead, revision: Int64, sentAt: Int64, regressions: [StoreRegression] = [],
        unreadable: [IssuerName: String] = [:], unverified: [IssuerName: Issuer] = [:],
        isDecisionUnproven: Bool = false
    ) {
        self.contents = contents
        self.head = head
        self.revision = revision
        self.sentAt = sentAt
        self.regressions = regressions
        self.unreadable = unreadable
        self.unverified = unverified
        self.isDecisionUnproven = isDecisionUnproven
    }

    /// The contents with what is unverified of them: what there is to tell a token by.
    public var claimed: StoreContents {
        var claimed = contents
        claimed.issuers = (claimed.issuers + unverified.values).sorted { $0.name < $1.name }
        return claimed
    }
}

/// The state of a shared store by one word: changed by every commit.
public struct StoreHead: Hashable, Sendable {
    /// The id of the last change.
    public let id: String
    /// The revision of the store that the change made.
    public let revision: Int64

    public init(id: String, revision: Int64) {
        self.id = id
        self.revision = revision
    }
}

public struct HeadReading: Hashable, Sendable {
    public let head: StoreHead
    /// When the read was sent, in nanoseconds of `CLOCK_BOOTTIME`.
    public let sentAt: Int64

    public init(head: StoreHead, sentAt: Int64) {
        self.head = head
        self.sentAt = sentAt
    }
}

/// What went back.
public enum StoreRegression: Hashable, Sendable {
    /// The cluster is another than the one this machine knows. Hexadecimal.
    case cluster(known: String, now: String)
    case revision(known: Int64, now: Int64)
    /// Of an issuer, which may be gone without having been deleted: then it is at 0.
    case generation(issuer: String, known: Int, now: Int)
    /// It says that an operator has decided about it, and nobody with a session with the token has said so. By epoch.
    case decision(known: Int, now: Int)
}

/// What may have changed.
public enum StoreHint: Hashable, Sendable {
    /// What is committed.
    case contents
    /// Who is there, or how far they have come.
    case members
}

/// An agent that takes part, from its start to its end.
public struct FleetMember: Hashable, Sendable {
    /// Which no other agent of the fleet has.
    public var id: String
    /// Random, of this start.
    public var incarnation: String
    /// Its machine, for people.
    public var host: String
    public var release: String
    /// The longest it signs with a view that is not confirmed, in seconds.
    public var staleness: Int
    /// Seconds beyond that for which one that has said nothing is still taken to sign: for what is on its way, and clocks that do not run
    /// alike.
    public static let slack = 2

    public init(id: String, incarnation: String, host: String, release: String, staleness: Int) {
        self.id = id
        self.incarnation = incarnation
        self.host = host
        self.release = release
        self.staleness = staleness
    }
}

/// How far an agent has come. Everything committed up to `revision` counts for it, but for what it names.
public struct MemberReport: Hashable, Sendable {
    /// The most it names of each; when there are more, it names none and says so by `isBehindMuch`.
    public static let limit = 40

    /// Of the view that it goes by.
    public var revision: Int64
    /// Issuers for which a signature by a former key has not ended yet.
    public var draining: Set<String>
    /// Issuers whose present generation a frontend of its does not serve yet.
    public var unserved: Set<String>
    /// Published keys, by kid, that it has not been able to sign a trial with.
    public var unusable: Set<String>
    /// There is more than can be named: of no issuer anything is to be taken for granted.
    public var isBehindMuch: Bool
    /// How many frontends follow it.
    public var frontends: Int
    /// Those, `FollowingFrontend.limit` of them by name.
    public var followers: [FollowingFrontend]

    public init(
        revision: Int64, draining: Set<String> = [], unserved: Set<String> = [], unusable: Set<String> = [],
        isBehindMuch: Bool = false, frontends: Int = 0, followers: [FollowingFrontend] = []
    ) {
        self.revision = revision
        self.draining = draining
        self.unserved = unserved
        self.unusable = unusable
        self.isBehindMuch = isBehindMuch
        self.frontends = frontends
        self.followers = followers
    }
}

/// A frontend that follows an agent, or those of one that are too many to be named.
public struct FollowingFrontend: Hashable, Sendable {
    /// The most that are named; the others are one entry without a name.
    public static let limit = 8
    /// The most characters of a user's name.
    private static let userLimit = 32
    /// The most deleted issuers of which it is known whether one has given them up: the latest.
    public static let deletionLimit = 16
    /// The most seconds that are believed: a year.
    private static let longestStaleness = 31_536_000

    public struct Name: Hashable, Sendable {
        /// Of its connection: another one is another number.
        public var number: UInt64
        public var uid: UInt32
        public var user: String?
        public var pid: Int32

        public init(number: UInt64, uid: UInt32, user: String?, pid: Int32) {
            self.number = number
            self.uid = uid
            self.user = user.map { String($0.prefix(FollowingFrontend.userLimit)) }
            self.pid = pid
        }
    }

    /// `nil` for those that are not named.
    public var name: Name?
    /// 1 for one that is named.
    public var count: Int
    /// The seconds without a confirmation after which it turns unready; the most of several.
    public var staleAfter: Int
    /// Issuers whose present generation it does not serve, of those that are `unserved` of the report, and deleted ones of which it
    /// has not said that it serves nothing; of several, one of them.
    public var unserved: Set<String>

    public init(name: Name?, count: Int = 1, staleAfter: Int, unserved: Set<String> = []) {
        self.name = name
        self.count = count
        self.staleAfter = min(max(staleAfter, 0), Self.longestStaleness)
        self.unserved = unserved
    }

    /// The first by name and the others as one.
    public static func naming(_ all: [FollowingFrontend]) -> [FollowingFrontend] {
        let others = all.dropFirst(limit)
        guard !others.isEmpty else { return all }
        let rest = FollowingFrontend(
            name: nil, count: others.reduce(0) { $0 + $1.count }, staleAfter: others.map(\.staleAfter).max() ?? 0,
            unserved: others.reduce(into: []) { $0.formUnion($1.unserved) })
        return all.prefix(limit) + [rest]
    }
}

/// Who takes part in a fleet, as of one moment.
public struct FleetReading: Sendable {
    public struct Entry: Hashable, Sendable {
        public var member: FleetMember
        /// What its wall clock showed when it last said that it is there, in milliseconds since 1970; `nil` for one that has not
        /// for 30 s, and has not left either.
        public var clock: Int64?
        /// Counts how often it has said so: another number, another word.
        public var clockRevision: Int64
        /// Of the same start; `nil` before its first.
        public var report: MemberReport?

        public init(member: FleetMember, clock: Int64?, clockRevision: Int64, report: MemberReport?) {
            self.member = member
            self.clock = clock
            self.clockRevision = clockRevision
            self.report = report
        }
    }

    /// By id. This agent is among them.
    public var entries: [Entry]
    public var revision: Int64
    /// When the read was sent, in nanoseconds of `CLOCK_BOOTTIME`.
    public var sentAt: Int64

    public init(entries: [Entry], revision: Int64, sentAt: Int64) {
        self.entries = entries
        self.revision = revision
        self.sentAt = sentAt
    }
}
