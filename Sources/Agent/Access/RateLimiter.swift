import Platform

/// Counts requests against the rates of access rules: a token bucket for each rule and user.
final class RateLimiter: Sendable {
    private struct Key: Hashable {
        /// The rule's place in the policy in force.
        let rule: Int
        let uid: UInt32
    }

    private struct Bucket {
        /// Requests that may still come at once, in billionths.
        var level: Int64
        var filledAt: Int64

        /// Puts in what has come since it was last filled, as far as there is room.
        mutating func fill(at now: Int64, _ rate: AccessRule.Rate) {
            // More than an hour fills any bucket, and must not overflow.
            let elapsed = min(max(now - filledAt, 0), 3_600 * RateLimiter.one)
            level = min(Int64(rate.burst) * RateLimiter.one, level + elapsed / 1_000 * Int64(rate.perSecond) * 1_000)
            filledAt = now
        }
    }

    private let buckets = Locked<[Key: Bucket]>([:])
    private let clock: AgentClock

    /// Buckets before those that are full are forgotten.
    private static let limit = 4_096
    /// A request, and a second in nanoseconds.
    private static let one: Int64 = 1_000_000_000

    init(clock: AgentClock) {
        self.clock = clock
    }

    /// Takes one request out of the bucket; false when there is none left.
    func admit(_ uid: UInt32, rule: Int, _ rate: AccessRule.Rate) -> Bool {
        let now = clock.monotonic()
        return buckets.withLock { buckets in
            if buckets.count >= Self.limit { buckets = buckets.filter { now - $0.value.filledAt < 60 * Self.one } }
            let key = Key(rule: rule, uid: uid)
            var bucket = buckets[key] ?? Bucket(level: Int64(rate.burst) * Self.one, filledAt: now)
            bucket.fill(at: now, rate)
            let isAdmitted = bucket.level >= Self.one
            if isAdmitted { bucket.level -= Self.one }
            buckets[key] = bucket
            return isAdmitted
        }
    }

    /// Other rules are in force. A rule that is for the same requests as one before goes on with its buckets, wherever it stands,
    /// so that no user gets a burst by a reload; another rate or another bound leaves in them what was in them, as far as there is
    /// room.
    func carryOver(from former: [AccessRule], to rules: [AccessRule]) {
        let now = clock.monotonic()
        var places: [Int: (place: Int, before: AccessRule.Rate, now: AccessRule.Rate)] = [:]
        for (place, rule) in rules.enumerated() {
            // Of several for the same requests, the first decides.
            guard let rate = rule.rate, let last = former.firstIndex(where: { $0.requests == rule.requests }),
                let before = former[last].rate, places[last] == nil
            else { continue }
            places[last] = (place, before, rate)
        }
        buckets.withLock { buckets in
            var carried: [Key: Bucket] = [:]
            for (key, bucket) in buckets {
                guard let to = places[key.rule] else { continue }
                var bucket = bucket
                bucket.fill(at: now, to.before)
                bucket.level = min(bucket.level, Int64(to.now.burst) * Self.one)
                carried[Key(rule: to.place, uid: key.uid)] = bucket
            }
            buckets = carried
        }
    }
}

extension AccessRule {
    /// Which requests the rule is for, whatever it says of them.
    fileprivate var requests: AccessRule {
        var rule = AccessRule(name: "", user: user, group: group, methods: methods)
        rule.issuers = issuers
        return rule
    }
}
