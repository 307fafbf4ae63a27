import Platform
import Synchronization

/// What lines that were of no use have cost, by party: those that are empty, cannot be read, or are denied.
///
/// Every party may send some; one that goes on is read more and more rarely, on all of its connections, until it has been
/// quiet for a while.
final class Conduct: Sendable {
    private let accounts = Locked<[Party: Account]>([:])
    private let clock: AgentClock

    /// Accounts before those are forgotten that no connection holds and that are clear.
    private static let limit = 1_024

    init(clock: AgentClock) {
        self.clock = clock
    }

    func account(of party: Party) -> Account {
        accounts.withLock { accounts in
            if let account = accounts[party] { return account }
            if accounts.count >= Self.limit {
                let now = clock.monotonic()
                // A connection that holds an account must see what is noted in it.
                for party in Array(accounts.keys) where isKnownUniquelyReferenced(&accounts[party]!) {
                    if accounts[party]?.isClear(at: now) == true { accounts[party] = nil }
                }
            }
            let account = Account(clock: clock)
            accounts[party] = account
            return account
        }
    }

    /// A line of no use has come.
    func note(_ party: Party) {
        account(of: party).note()
    }

    /// One party's lines.
    final class Account: Sendable {
        private struct State {
            /// Lines that may still come.
            var level = Account.burst
            /// When lines were last added, in nanoseconds of the monotonic clock.
            var filledAt: Int64
            /// Nanoseconds of the last pause; 0 when there has been none since the account was full.
            var pause: Int64 = 0
        }

        private let state: Locked<State>
        /// When the party may be read again, in nanoseconds of the monotonic clock; 0 when it may.
        private let end = Atomic<Int64>(0)
        private let clock: AgentClock

        /// Lines that may come at once, and how many more a second.
        private static let burst: Int64 = 256
        private static let perSecond: Int64 = 64
        /// Lines that may come after a pause.
        private static let perPause: Int64 = 16
        /// Nanoseconds of the first pause, and of the longest; each is twice as long as the one before.
        private static let firstPause: Int64 = 10_000_000
        private static let longestPause: Int64 = 1_000_000_000

        fileprivate init(clock: AgentClock) {
            self.clock = clock
            state = Locked(State(filledAt: clock.monotonic()))
        }

        /// A line of no use, or the like, has come.
        func note() {
            let now = clock.monotonic()
            let paused = state.withLock { state -> Int64? in
                Self.fill(&state, now)
                state.level -= 1
                guard state.level < 0 else { return nil }
                state.pause = min(max(2 * state.pause, Self.firstPause), Self.longestPause)
                state.level = Self.perPause
                state.filledAt = now + state.pause
                return state.filledAt
            }
            if let paused { end.store(paused, ordering: .sequentiallyConsistent) }
        }

        private static func fill(_ state: inout State, _ now: Int64) {
            let unit: Int64 = 1_000_000_000
            // More than a minute fills it, and must not overflow.
            let elapsed = min(max(now - state.filledAt, 0), 60 * unit)
            let more = elapsed * perSecond / unit
            guard more > 0 else { return }
            state.filledAt = now
            state.level = min(burst, state.level + more)
            if state.level == burst { state.pause = 0 }
        }

        /// Lines that may still come at once.
        var linesLeft: Int64 { state.withLock { $0.level } }

        /// Nanoseconds until the party may be read again; `nil` when it may.
        var pause: Int64? {
            let end = end.load(ordering: .sequentiallyConsistent)
            guard end != 0 else { return nil }
            let left = end - clock.monotonic()
            guard left <= 0 else { return left }
            // Unless there is another pause already.
            _ = self.end.compareExchange(expected: end, desired: 0, ordering: .sequentiallyConsistent)
            return nil
        }

        fileprivate func isClear(at now: Int64) -> Bool {
            pause == nil
                && state.withLock { state in
                    Self.fill(&state, now)
                    return state.level == Self.burst
                }
        }
    }
}
