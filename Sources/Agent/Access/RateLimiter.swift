import Platform

/// Counts requests against the rates of access rules: a token bucket for each rule and user.
final class RateLimiter: Sendable {
    private struct Key: Hashable {
        let rule: Int
        let uid: UInt32
    }

    private struct Bucket {
        /// Requests that may still come at once, in billionths.
        var level: Int64
        var filledAt: Int64
    }

    private let buckets = Locked<[Key: Bucket]>([:])
    private let clock: AgentClock

    /// Buckets before those that are full are forgotten.
    private static let limit = 4_096

    init(clock: AgentClock) {
        self.clock = clock
    }

    /// Takes one request out of the bucket; false when there is none left.
    func admit(_ uid: UInt32, rule: Int, _ rate: AccessRule.Rate) -> Bool {
        let now = clock.monotonic()
        let unit: Int64 = 1_000_000_000
        let full = Int64(rate.burst) * unit
        return buckets.withLock { buckets in
            if buckets.count >= Self.limit { buckets = buckets.filter { now - $0.value.filledAt < 60 * unit } }
            let key = Key(rule: rule, uid: uid)
            var bucket = buckets[key] ?? Bucket(level: full, filledAt: now)
            // More than an hour fills any bucket, and must not overflow.
            let elapsed = min(max(now - bucket.filledAt, 0), 3_600 * unit)
            bucket.level = min(full, bucket.level + elapsed / 1_000 * Int64(rate.perSecond) * 1_000)
            bucket.filledAt = now
            let isAdmitted = bucket.level >= unit
            if isAdmitted { bucket.level -= unit }
            buckets[key] = bucket
            return isAdmitted
        }
    }

    /// Other rules are in force: what was counted for the old ones is forgotten.
    func reset() {
        buckets.withLock { $0 = [:] }
    }
}
