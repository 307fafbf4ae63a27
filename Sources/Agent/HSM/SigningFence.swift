import Synchronization

/// Until when signatures may be made and handed over, by the word of a store that other agents change as well.
///
/// Leases and watches say who is there, and never who may sign: what an agent goes by must have been confirmed by the store not
/// long ago, and once it has not, the agent signs nothing, whatever it believes. Looked at before a signature is made and again
/// before it is handed over, since a machine may stand still in between.
final class SigningFence: Sendable {
    /// Nanoseconds of the monotonic clock; `Int64.max` where the store is this agent's alone.
    private let end: Atomic<Int64>
    private let isLatched = Atomic(false)
    /// Whether the store is shared at all.
    let isShared: Bool

    /// One that is shut until it is first moved, or, where no store is shared, none.
    init(isShared: Bool) {
        self.isShared = isShared
        end = Atomic(isShared ? 0 : Int64.max)
    }

    /// The moment from which on nothing is signed, in nanoseconds of the monotonic clock.
    var until: Int64 { end.load(ordering: .acquiring) }

    func isOpen(at now: Int64) -> Bool { now < until }

    /// The store has confirmed what the agent goes by: it is open until then, and never shorter than it was.
    func move(to moment: Int64) {
        guard isShared, !isLatched.load(ordering: .acquiring) else { return }
        var before = end.load(ordering: .acquiring)
        while before < moment {
            let (isMoved, current) = end.compareExchange(
                expected: before, desired: moment, ordering: .acquiringAndReleasing)
            if isMoved { break }
            before = current
        }
        // It may have been shut for good since it was asked.
        if isLatched.load(ordering: .acquiring) { end.store(0, ordering: .releasing) }
    }

    /// Nothing is signed any more by this process.
    func shut() {
        guard isShared else { return }
        isLatched.store(true, ordering: .releasing)
        end.store(0, ordering: .releasing)
    }
}
