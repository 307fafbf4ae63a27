import AgentProtocol

/// What bounds how the log grows: a share of a day for each user, and one record for many refusals that are alike.
struct AuditGrowth: Sendable {
    private var budget: AuditBudget
    private var refusals = RefusalFold()

    /// - Parameter limit: bytes that what one user has done may make the log grow by in a day; `nil` without a bound.
    init(limit: Int?) {
        budget = AuditBudget(limit: limit)
    }

    /// Whether the user has had the log grow by no more than it may; a change, of which there cannot be many, may go on for as much
    /// again.
    func hasRoom(for uid: UInt32, changing isChange: Bool, at now: Int64) -> Bool {
        !budget.isOver(uid, at: now, times: isChange ? 2 : 1)
    }

    /// - Returns: whether the user has used up its share by that, and had room again before.
    mutating func charge(_ uid: UInt32, _ bytes: Int, at now: Int64) -> Bool {
        budget.charge(uid, bytes, at: now)
    }

    /// - Returns: what is to be recorded now of a refusal; `nil` when it is counted.
    mutating func admitRefusal(_ record: AuditRecord, at now: Int64) -> AuditRecord? {
        refusals.admit(record, together: budget.isOver(record.caller.uid, at: now), at: now)
    }

    /// What has been counted for long enough, or with `all` everything.
    mutating func takeCounted(at now: Int64, all: Bool = false) -> [RefusalFold.Folded] {
        refusals.due(at: now, all: all)
    }
}

/// How much the log has grown by what each user had done, against what one user may in a day.
///
/// What was written is forgotten evenly, so that a user who has used up a day's share has room again in a moment, for as much as a day's
/// share is in that moment.
struct AuditBudget: Sendable {
    private struct Spent {
        var bytes: Double
        /// In nanoseconds of the monotonic clock.
        var at: Int64
        /// Whether it has been told that the share is used up.
        var isTold = false
    }

    /// Bytes a day; `nil` without a bound.
    private let limit: Double?
    private var spent: [UInt32: Spent] = [:]

    private static let day: Double = 86_400 * 1_000_000_000
    /// Users that are kept count of before those who have nothing to count are forgotten.
    private static let most = 4_096

    init(limit: Int?) {
        self.limit = limit.map(Double.init)
    }

    /// Whether the user has used up its share, or with `times` so many shares.
    func isOver(_ uid: UInt32, at now: Int64, times: Double = 1) -> Bool {
        guard let limit, let spent = spent[uid] else { return false }
        return left(of: spent, limit, at: now) >= limit * times
    }

    /// - Returns: whether the user has used up its share by that, and had room again before.
    mutating func charge(_ uid: UInt32, _ bytes: Int, at now: Int64) -> Bool {
        guard let limit else { return false }
        if spent.count >= Self.most, spent[uid] == nil { spent = spent.filter { left(of: $0.value, limit, at: now) > 0 } }
        var own = spent[uid] ?? Spent(bytes: 0, at: now)
        own.bytes = left(of: own, limit, at: now)
        own.at = now
        // Told again only after some of the share has come back: at the bound it is used up with every record.
        if own.bytes < limit * 0.9 { own.isTold = false }
        own.bytes += Double(bytes)
        let isNew = own.bytes >= limit && !own.isTold
        if isNew { own.isTold = true }
        spent[uid] = own
        return isNew
    }

    private func left(of spent: Spent, _ limit: Double, at now: Int64) -> Double {
        max(spent.bytes - Double(max(now - spent.at, 0)) / Self.day * limit, 0)
    }
}

/// Counts refusals and failures that are all alike into one record, and bounds what a caller can make the log grow by with what
/// it does not get.
struct RefusalFold: Sendable {
    private struct Likeness: Hashable {
        let uid: UInt32
        let method: Method
        let issuer: String?
        let outcome: AuditRecord.Outcome
        let reason: String?
    }

    private struct Window {
        var since: Int64
        /// The last refusal that was counted and has not been recorded.
        var latest: AuditRecord?
        var count = 0
    }

    /// A record that stands for several refusals.
    struct Folded: Sendable {
        let record: AuditRecord
        let count: Int
    }

    private var windows: [Likeness: Window] = [:]
    private var kinds: [UInt32: Int] = [:]

    /// Nanoseconds for which refusals are counted before they are recorded.
    static let time: Int64 = 10_000_000_000
    /// Kinds of refusals of one uid that are told apart at a time; what comes beyond is counted together.
    static let mostKinds = 32

    /// Returns whether the refusal is to be recorded now; otherwise it is counted.
    ///
    /// - Parameter isTogether: whether kinds of this uid are not told apart any more.
    mutating func admit(_ record: AuditRecord, together isTogether: Bool = false, at now: Int64) -> AuditRecord? {
        let uid = record.caller.uid
        var record = record
        var likeness = Likeness(
            uid: uid, method: record.method, issuer: record.issuer, outcome: record.outcome, reason: record.reason)
        if windows[likeness] == nil, isTogether || kinds[uid, default: 0] >= Self.mostKinds {
            record.method = Self.several
            record.issuer = nil
            record.outcome = .denied
            record.reason = "refusals of many kinds"
            likeness = Likeness(uid: uid, method: Self.several, issuer: nil, outcome: .denied, reason: record.reason)
        }
        if windows[likeness] != nil {
            windows[likeness]?.latest = record
            windows[likeness]?.count += 1
            return nil
        }
        windows[likeness] = Window(since: now)
        kinds[uid, default: 0] += 1
        return record
    }

    /// What has been counted for long enough, or with `all` everything.
    mutating func due(at now: Int64, all: Bool = false) -> [Folded] {
        var due: [Folded] = []
        for (likeness, window) in windows where all || now - window.since >= Self.time {
            if let record = window.latest {
                due.append(Folded(record: record, count: window.count))
                windows[likeness] = Window(since: now)
            } else {
                windows[likeness] = nil
                let left = kinds[likeness.uid, default: 1] - 1
                kinds[likeness.uid] = left > 0 ? left : nil
            }
        }
        return due
    }

    private static let several = Method(rawValue: "several")
}
