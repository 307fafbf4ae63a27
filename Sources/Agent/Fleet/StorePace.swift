import IssuerStore

/// Whether a shared store is slow to take what an agent says: one on a slow disk answers, and late.
///
/// Long before its answers come too late to count, a change that several agents wait for takes as much longer.
struct StorePace: Sendable {
    /// Nanoseconds for a few hundred bytes.
    static let patience: Int64 = 1_000_000_000
    /// One that comes late by itself is nothing.
    static let count = 3

    private var late = 0
    private var last: Int64 = 0

    /// Takes how long it took to say that this agent is there, in nanoseconds.
    mutating func take(_ nanoseconds: Int64) {
        last = nanoseconds
        late = nanoseconds < Self.patience ? 0 : min(late + 1, Self.count)
    }

    /// What is to be said of it; `nil` for a store that is not slow.
    var trouble: StoreError? {
        guard late == Self.count else { return nil }
        let tenths = last / 100_000_000
        return StoreError(
            .unavailable, "the store is slow: it took \(tenths / 10).\(tenths % 10) s to say that this agent is there",
            hint:
                "check the disks and the load of etcd's members, and what their logs say took too long; changes take as much longer"
        )
    }
}
