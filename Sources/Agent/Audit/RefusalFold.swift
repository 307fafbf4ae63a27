import AgentProtocol

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
