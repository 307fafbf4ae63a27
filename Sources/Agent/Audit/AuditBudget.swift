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
