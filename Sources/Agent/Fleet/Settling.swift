import IssuerStore

/// How far a change has come to count for the other agents of a fleet.
struct FleetSettlement: Hashable, Sendable {
    enum Outcome: Hashable, Sendable {
        /// It has said that it goes by the change.
        case acknowledged
        /// It takes part no more.
        case left
        /// It has not answered for so long that it cannot go on by what was before.
        case waitedOut
        /// It has not answered yet, and may go on by what was before for so many seconds.
        case pending(seconds: Int)
    }

    struct Peer: Hashable, Sendable {
        let id: String
        let host: String
        var outcome: Outcome
        /// Milliseconds from the commit to that.
        var milliseconds: Int
        /// The frontends that followed it when it was first asked, where they are told of.
        var frontends: [FrontendSettlement] = []
    }

    /// Those that took part when the change was committed, without this one; by id.
    var agents: [Peer] = []
    /// The frontends of this agent, where they are told of.
    var frontends: [FrontendSettlement] = []
    /// Why nobody could be asked; `nil` when they were.
    var failure: String?

    /// Whether no agent goes by what was before any more.
    var isSettled: Bool {
        failure == nil
            && agents.allSatisfy { agent in
                if case .pending = agent.outcome { false } else { true }
            }
    }

    /// Whether a frontend has not said yet that it serves the change.
    var isAwaitingFrontends: Bool {
        (frontends + agents.flatMap(\.frontends)).contains(where: \.isPending)
    }
}

/// Waits, as a value, for a change to count everywhere: it is told who takes part again and again, and says when it is over.
///
/// Whoever took part at the first reading after the commit is waited for. One that enters later reads the store after the commit.
struct Settling: Sendable {
    private let issuer: String
    private let revision: Int64
    private let own: String
    /// When the commit was known to be made, in nanoseconds of the monotonic clock.
    private let committedAt: Int64
    private var members: [FleetMember: FleetSettlement.Peer]?
    /// Of the other agents; empty where frontends are not told of.
    private var frontends: [FleetMember: FrontendSettling] = [:]
    private let isTellingFrontends: Bool

    /// - Parameters:
    ///   - revision: of the commit.
    ///   - own: the incarnation of this agent.
    ///   - isTellingFrontends: whether it is also to be said how the other agents' frontends came to serve it.
    init(issuer: String, revision: Int64, own: String, committedAt: Int64, isTellingFrontends: Bool = false) {
        self.issuer = issuer
        self.revision = revision
        self.own = own
        self.committedAt = committedAt
        self.isTellingFrontends = isTellingFrontends
    }

    /// Takes a reading that was sent after the commit.
    mutating func take(_ reading: FleetReading, now: Int64) {
        let present = Dictionary(uniqueKeysWithValues: reading.entries.map { ($0.member, $0) })
        if members == nil {
            let others = reading.entries.map(\.member).filter { $0.incarnation != own }
            members = Dictionary(
                uniqueKeysWithValues: others.map { member in
                    (
                        member,
                        FleetSettlement.Peer(id: member.id, host: member.host, outcome: .pending(seconds: 0), milliseconds: 0)
                    )
                })
        }
        for (member, agent) in members ?? [:] {
            guard case .pending = agent.outcome else { continue }
            if let entry = present[member] {
                if entry.report?.covers(issuer, revision) == true { end(member, .acknowledged, now) }
            } else {
                end(member, .left, now)
            }
        }
        if isTellingFrontends { takeFrontends(present, now) }
        look(at: now)
    }

    private mutating func takeFrontends(_ present: [FleetMember: FleetReading.Entry], _ now: Int64) {
        for member in (members ?? [:]).keys {
            let report = present[member]?.report
            if frontends[member] == nil, let report {
                frontends[member] = FrontendSettling(issuer, followers: report.followers, committedAt: committedAt, now: now)
            }
            if let report {
                if report.revision >= revision, !report.isBehindMuch { frontends[member]?.take(report.followers, now: now) }
            } else if present[member] == nil {
                frontends[member]?.leave(now: now)
            }
        }
    }

    /// Time has passed.
    mutating func look(at now: Int64) {
        for member in frontends.keys { frontends[member]?.look(at: now) }
        for (member, agent) in members ?? [:] {
            guard case .pending = agent.outcome else { continue }
            let end = committedAt + Int64(member.staleness + FleetMember.slack) * 1_000_000_000
            if now >= end {
                self.end(member, .waitedOut, now)
            } else {
                let seconds = Int((end - now + 999_999_999) / 1_000_000_000)
                members?[member]?.outcome = .pending(seconds: seconds)
            }
        }
    }

    private mutating func end(_ member: FleetMember, _ outcome: FleetSettlement.Outcome, _ now: Int64) {
        members?[member]?.outcome = outcome
        members?[member]?.milliseconds = Int(clamping: max(now - committedAt, 0) / 1_000_000)
    }

    /// How it stands.
    var settlement: FleetSettlement {
        let agents = (members ?? [:]).map { member, agent in
            var agent = agent
            agent.frontends = frontends[member]?.frontends ?? []
            return agent
        }
        return FleetSettlement(
            agents: agents.sorted { $0.id < $1.id },
            failure: members == nil ? "who takes part could not be read from the store" : nil)
    }
}

/// Which agents cannot serve a published key yet.
struct FleetReadiness: Hashable, Sendable {
    enum Reason: Hashable, Sendable {
        /// It has not seen the key yet, or has not been able to use it.
        case unusable
        /// A frontend of its does not serve the key yet.
        case unserved
    }

    /// By id, of those that are there.
    var lacking: [String: Reason] = [:]

    /// - Parameters:
    ///   - revision: at which the issuer was as it is.
    ///   - own: the incarnation of this agent.
    init(_ reading: FleetReading, issuer: String, kid: String, revision: Int64, own: String) {
        for entry in reading.entries where entry.clock != nil && entry.member.incarnation != own {
            guard let report = entry.report, report.revision >= revision, !report.isBehindMuch, !report.unusable.contains(kid)
            else {
                lacking[entry.member.id] = .unusable
                continue
            }
            if report.unserved.contains(issuer) { lacking[entry.member.id] = .unserved }
        }
    }
}

extension MemberReport {
    /// Whether its agent goes by what the issuer was at the revision, or later, and signs nothing by what was before.
    fileprivate func covers(_ issuer: String, _ revision: Int64) -> Bool {
        self.revision >= revision && !isBehindMuch && !draining.contains(issuer)
    }
}
