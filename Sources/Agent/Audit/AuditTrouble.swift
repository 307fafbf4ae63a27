import Platform
import Synchronization

/// Why nothing can be recorded just now, and how many records that has cost.
final class AuditTrouble: Sendable {
    private let state = Locked<(error: AuditError?, lost: Int)>((nil, 0))
    /// Whether there is any, so that a request need not take the lock to learn that there is none.
    private let exists = Atomic(false)

    /// Costs next to nothing while there is none.
    var current: AuditError? {
        guard exists.load(ordering: .acquiring) else { return nil }
        return state.withLock { $0.error }
    }

    /// What the record that ends the trouble says.
    var account: String { state.withLock { "\($0.lost) records were refused; \($0.error?.message ?? "")" } }

    /// - Returns: whether there was none before.
    func begin(_ error: AuditError) -> Bool {
        state.withLock { state in
            defer { state.error = error }
            exists.store(true, ordering: .releasing)
            return state.error == nil
        }
    }

    /// So many records were not written.
    func lose(_ records: Int) {
        state.withLock { $0.lost += records }
    }

    func end() {
        state.withLock { state in
            state = (nil, 0)
            exists.store(false, ordering: .releasing)
        }
    }
}

/// Notices, by looks a second apart, that a disk does not answer any more.
struct AuditStall: Sendable {
    /// How far those have come who can be held up by the disk.
    struct Progress: Equatable, Sendable {
        /// Heartbeat of the log's own thread.
        var round: UInt64 = 0
        /// Batches that have been begun.
        var batches: UInt64 = 0
    }

    private var before = Progress()
    /// How often in a row nothing had come forward.
    private var times = 0

    /// Looks after which the disk counts as gone.
    private static let most = 10

    /// - Parameter isDue: whether there is anything to write.
    /// - Returns: whether the disk counts as gone.
    mutating func look(_ progress: Progress, isDue: Bool) -> Bool {
        let isHeldUp = before.round == progress.round || (isDue && before.batches == progress.batches)
        before = progress
        times = isHeldUp ? times + 1 : 0
        return times >= Self.most
    }
}
