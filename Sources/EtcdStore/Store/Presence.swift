import IssuerStore
import Platform

/// What an agent that takes part knows of its own entries in the store.
struct Presence: Sendable {
    var member: FleetMember?
    /// As of which its entry among the members was last seen to be its own and unmarked.
    var memberRevision: Int64 = 0
    /// Of what it says of itself, by key; what is not here is read first.
    var revisions: [String: Int64] = [:]
    var lease: Int64?
    /// Members that are to go: the revision of their mark, when it was first seen, and how long they have.
    var leaving: [String: Leaving] = [:]

    struct Leaving: Sendable {
        var mark: Int64
        /// Nanoseconds of the gateway's clock.
        var since: Int64
        /// Seconds.
        var staleness: Int
    }

    /// Notes which members are marked, and since when for those that were not before.
    mutating func note(_ marked: [String: (mark: Int64, staleness: Int)], at now: Int64) {
        leaving = Dictionary(
            uniqueKeysWithValues: marked.map { key, seen in
                if let known = leaving[key], known.mark == seen.mark { return (key, known) }
                return (key, Leaving(mark: seen.mark, since: now, staleness: seen.staleness))
            })
    }

    /// Those whose time is over: the longest that they may sign without a word to the store, and what clocks may differ by.
    func due(at now: Int64) -> [(key: String, mark: Int64)] {
        leaving.filter { now - $1.since >= Int64($1.staleness + FleetMember.slack) * 1_000_000_000 }
            .map { (key: $0.key, mark: $0.value.mark) }
    }
}

/// One call after the other, each to its end even if its caller is cancelled.
actor Turns {
    private var last: Task<Void, Never>?

    func take<Value: Sendable>(
        _ body: @escaping @Sendable () async throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        let before = last
        let task = Task { () -> Result<Value, StoreError> in
            await before?.value
            do throws(StoreError) { return .success(try await body()) } catch { return .failure(error) }
        }
        last = Task { _ = await task.value }
        return try await task.value.get()
    }
}
