/// The requests other than `sign` that are carried out for one party, and the connections that wait to have one carried out, in
/// the order they came.
struct OperationPlaces: Sendable {
    /// Operations that are carried out.
    private(set) var taken = 0
    private var waiting: [ConnectionID] = []
    /// Connections that have been called and have not come yet.
    private var called: Set<ConnectionID> = []

    /// Operations that are carried out at a time.
    static let limit = 8

    /// Whether the connection gets a place. If not, it waits for `nextToCall()` to name it.
    mutating func take(for id: ConnectionID) -> Bool {
        guard taken < Self.limit else {
            guard !waiting.contains(id) else { return false }
            // One that has been called, and finds that another has come first, is the next.
            let wasCalled = called.remove(id) != nil
            waiting.insert(id, at: wasCalled ? 0 : waiting.count)
            return false
        }
        taken += 1
        forget(id)
        return true
    }

    /// An operation has been carried out, or its connection has ended before it began.
    mutating func giveBack() {
        taken -= 1
    }

    /// The connection that has waited longest, when there is a place.
    mutating func nextToCall() -> ConnectionID? {
        guard taken < Self.limit, !waiting.isEmpty else { return nil }
        let next = waiting.removeFirst()
        called.insert(next)
        return next
    }

    /// The connection waits no more.
    mutating func forget(_ id: ConnectionID) {
        waiting.removeAll { $0 == id }
        called.remove(id)
    }
}
