import KeyLifecycle

/// What came of a commit.
struct CommittedChange: Sendable {
    /// The key that signed before, if another one does now, or none.
    let former: KeyReference?
    /// Where it stands in a shared store; `nil` where the store is this agent's alone.
    let place: StorePosition?
}

/// Where a change stands among those of a shared store.
struct StorePosition: Hashable, Sendable {
    let revision: Int64
    /// When it was known to have been made, in nanoseconds of the monotonic clock.
    let knownAt: Int64
}

extension IssuerChange {
    /// The generation it makes; of a deletion, the one after the last.
    var generation: Int { issuer?.generation ?? (expectedGeneration ?? 0) + 1 }
}
