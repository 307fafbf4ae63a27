import KeyLifecycle

/// Work on the token that failed, by issuer, and when it is tried again.
///
/// What keeps an issuer from having what it should have, such as no standby key or a destruction left to do, is told in
/// `health` until a try has succeeded.
struct RetrySchedule: Sendable {
    struct Failure: Hashable, Sendable {
        let message: String
        /// In seconds of the monotonic clock.
        fileprivate(set) var retryAt: Int64
        /// How often it has failed in a row.
        let count: Int
        /// The token generation it failed under: under another one it is tried at once.
        fileprivate(set) var tokenGeneration: Int
    }

    /// Seconds before the first retry: doubled with each failure up to the maximum, since each generation that a full token
    /// refuses leaves a tombstone.
    static let interval: Int64 = 15
    static let maximumInterval: Int64 = 300

    private(set) var failures: [IssuerName: Failure] = [:]

    mutating func note(_ error: any Error, of name: IssuerName, at now: Int64, tokenGeneration: Int) {
        let before = failures[name]?.count ?? 0
        let pause = min(Self.interval << min(before, 10), Self.maximumInterval)
        failures[name] = Failure(
            message: "\(error)", retryAt: now + pause, count: before + 1, tokenGeneration: tokenGeneration)
    }

    /// What the issuer had left to do is done, or has become pointless.
    mutating func clear(_ name: IssuerName) {
        failures[name] = nil
    }

    /// Has everything tried again at the next look: what it failed for is in use again.
    mutating func hasten(at now: Int64) {
        for name in failures.keys { failures[name]?.retryAt = now }
    }

    /// Takes the issuers whose work is to be tried now. None comes twice before that try has failed.
    mutating func takeDue(at now: Int64, tokenGeneration: Int) -> [IssuerName] {
        let due = failures.filter { $0.value.retryAt <= now || $0.value.tokenGeneration != tokenGeneration }.map(\.key)
        for name in due {
            failures[name]?.retryAt = .max
            failures[name]?.tokenGeneration = tokenGeneration
        }
        return due
    }
}
