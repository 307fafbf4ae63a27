import KeyLifecycle
import Platform

/// Keys that a token made otherwise than asked, so that it is not asked for the same over and over: each costs it room, and
/// some never give that back.
final class RefusedKeys: Sendable {
    private struct Refusals {
        var count = 0
        var last: HSMError
        /// Nanoseconds of the monotonic clock.
        var notBefore: Int64
    }

    private let refusals = Locked<[KeySpecification: Refusals]>([:])
    private let clock: AgentClock

    /// An operator who corrects something tries again at once.
    private static let freeTries = 3
    /// Nanoseconds; doubled with each further refusal.
    static let shortestPause: Int64 = 15_000_000_000
    static let longestPause: Int64 = 600_000_000_000

    init(clock: AgentClock) {
        self.clock = clock
    }

    /// - Throws: `HSMError` with `.custodyRefused` for a key that was refused too often lately.
    func requireWorthwhile(_ specification: KeySpecification) throws(HSMError) {
        let now = clock.monotonic()
        let known = refusals.withLock { $0[specification] }
        guard let known, now < known.notBefore else { return }
        throw HSMError(
            known.last.code,
            "\(known.last.message); it was so \(known.count) times, and no such key is made for the next "
                + "\((known.notBefore - now) / 1_000_000_000 + 1) s", hint: known.last.hint)
    }

    func note(_ error: HSMError, for specification: KeySpecification) {
        let now = clock.monotonic()
        refusals.withLock { refusals in
            var known = refusals[specification] ?? Refusals(last: error, notBefore: now)
            known.count += 1
            known.last = error
            let further = known.count - Self.freeTries
            known.notBefore = further < 0 ? now : now + min(Self.shortestPause << min(further, 10), Self.longestPause)
            refusals[specification] = known
        }
    }

    func forget(_ specification: KeySpecification) {
        refusals.withLock { $0[specification] = nil }
    }
}
