import IssuerStore
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

extension AuditChange {
    /// What is recorded of a change before the store is asked.
    ///
    /// - Parameter before: the issuer as it is known.
    init(_ change: IssuerChange, before: Issuer?) {
        self.init(.begun, issuer: change.name.text, generation: change.issuer?.generation ?? change.expectedGeneration)
        (isCreation, isDeletion) = (change.expectedGeneration == nil, change.issuer == nil)
        let (former, present) = (before?.ring.published.map(\.kid) ?? [], change.issuer?.ring.published.map(\.kid) ?? [])
        added = present.filter { !former.contains($0) }
        ended = former.filter { !present.contains($0) }
    }
}

extension Error {
    /// Whether it says that another writer has changed the issuer meanwhile, also between two steps of a change.
    var isLostRace: Bool {
        (self as? StoreError)?.code == .conflict || (self as? LifecycleError)?.code == .conflict
    }
}
