import Logging
import Platform
import Synchronization

/// Whether records can be written: why not, how many that has cost, and when it is tried again.
final class AuditHealth: Sendable {
    /// What is known of it. Decides, and does nothing by itself.
    struct State: Sendable {
        private(set) var trouble: AuditError?
        /// Records that were not written since the trouble began.
        private(set) var lost = 0
        /// When it was last tried to write again, in nanoseconds of the monotonic clock.
        private var probedAt: Int64
        private var stall = AuditStall()

        /// Nanoseconds between attempts to write again.
        static let probeInterval: Int64 = 1_000_000_000

        init(at now: Int64) {
            probedAt = now
        }

        /// What the record that ends the trouble says.
        var account: String { "\(lost) records were refused; \(trouble?.message ?? "")" }

        /// - Returns: whether there was no trouble before.
        mutating func begin(_ trouble: AuditError, at now: Int64) -> Bool {
            let isNew = self.trouble == nil
            self.trouble = trouble
            if isNew { probedAt = now }
            return isNew
        }

        mutating func countLost(_ records: Int) {
            lost += records
        }

        /// Whether it is time to try to write again; the caller does so then.
        mutating func takeProbe(at now: Int64) -> Bool {
            guard trouble != nil, now - probedAt >= Self.probeInterval else { return false }
            probedAt = now
            return true
        }

        mutating func end() {
            trouble = nil
            lost = 0
        }

        /// To be asked once a second; as `AuditStall.isGone(_:isDue:)`.
        mutating func isStalled(_ progress: AuditStall.Progress, isDue: Bool) -> Bool {
            stall.isGone(progress, isDue: isDue)
        }
    }

    /// The trouble, what it has cost, and what the disk was last seen to do.
    private let state: Locked<State>
    /// Whether there is any trouble, so that a request need not take the lock to learn that there is none.
    private let isTroubled = Atomic(false)
    private let clock: AgentClock
    private let log: Logger

    init(clock: AgentClock, log: Logger) {
        state = Locked(State(at: clock.monotonic()))
        self.clock = clock
        self.log = log
    }

    /// Why nothing can be recorded just now; costs next to nothing while it can.
    var trouble: AuditError? {
        guard isTroubled.load(ordering: .acquiring) else { return nil }
        return state.withLock { $0.trouble }
    }

    /// What the record that ends the trouble says.
    var account: String { state.withLock { $0.account } }

    /// Nothing can be recorded from now on, or for another reason than before.
    func report(_ trouble: AuditError) {
        let isNew = state.withLock { [now = clock.monotonic()] state in
            isTroubled.store(true, ordering: .releasing)
            return state.begin(trouble, at: now)
        }
        guard isNew else { return }
        log.critical("what is done cannot be recorded", metadata: ["reason": "\(trouble)", "hint": "\(trouble.hint)"])
    }

    /// So many records were not written.
    func countLost(_ records: Int) {
        state.withLock { $0.countLost(records) }
    }

    /// Whether it is time to try to write again; the caller does so then.
    func takeProbe(at now: Int64) -> Bool {
        isTroubled.load(ordering: .acquiring) && state.withLock { $0.takeProbe(at: now) }
    }

    /// A record was written and is on the disk.
    func endTrouble() {
        state.withLock { state in
            state.end()
            isTroubled.store(false, ordering: .releasing)
        }
        log.notice("the audit log is written again")
    }

    /// Whether the disk counts as gone; to be asked once a second.
    func isStalled(_ progress: AuditStall.Progress, isDue: Bool) -> Bool {
        state.withLock { $0.isStalled(progress, isDue: isDue) }
    }
}

/// Notices, by looks a second apart, that a disk does not answer any more.
struct AuditStall: Sendable {
    /// How far those threads have come that the disk can hold up.
    struct Progress: Equatable, Sendable {
        /// Rounds of the log's own thread.
        var round: UInt64 = 0
        /// Batches that have been begun.
        var batches: UInt64 = 0
    }

    private var before = Progress()
    /// How often in a row nothing had come forward.
    private var times = 0

    /// Looks after which the disk counts as gone.
    static let most = 10

    /// - Parameter isDue: whether there is anything to write.
    /// - Returns: whether the disk counts as gone.
    mutating func isGone(_ progress: Progress, isDue: Bool) -> Bool {
        let isHeldUp = before.round == progress.round || (isDue && before.batches == progress.batches)
        before = progress
        times = isHeldUp ? times + 1 : 0
        return times >= Self.most
    }
}
