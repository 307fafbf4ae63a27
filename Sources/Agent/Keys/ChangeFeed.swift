import AgentProtocol
import KeyLifecycle
import Platform

/// Where notifications of one connection go.
protocol NotificationSink: Sendable {
    /// Writes one line. `written` is called when the connection has taken it, and not at all once it is closed.
    func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void)
}

/// Identifies a connection for as long as the agent runs.
struct ConnectionID: Hashable, Sendable {
    let number: UInt64
}

/// Tells watching connections which issuers changed, and knows which of them have fetched what.
///
/// Each watcher has at most one notification under way; what changes meanwhile is folded into the next, so a slow reader
/// costs a set of names and misses nothing.
final class ChangeFeed: Sendable {
    private struct Watcher {
        let sink: any NotificationSink
        /// Whether the caller may see an issuer, by the rules in force when that is asked.
        let isShown: @Sendable (String) -> Bool
        var pending: [String: WatchedIssuer] = [:]
        /// Whether a notification is on its way, or must wait for the snapshot.
        var isNotifying: Bool
        /// The generation of each issuer whose documents this connection has fetched.
        var fetched: [String: Int] = [:]
    }

    private struct State {
        var revision = 0
        /// Connections that have not ended: a request may outlive its connection.
        var open: Set<ConnectionID> = []
        var watchers: [ConnectionID: Watcher] = [:]
        var waiting: [Waiter] = []
        /// Waiters there have been; the number of the next one.
        var waiterCount = 0
    }

    private struct Waiter {
        let number: Int
        let issuer: String
        let generation: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private let state = Locked(State())

    /// How long a fresh key waits for the frontends at most, unless given: a second.
    static let publicationLimit = Duration.seconds(1)

    private let publicationLimit: Duration

    init(publicationLimit: Duration = ChangeFeed.publicationLimit) {
        self.publicationLimit = publicationLimit
    }

    /// A connection is there. To be called before it can ask for anything.
    func connected(_ connection: ConnectionID) {
        state.withLock { _ = $0.open.insert(connection) }
    }

    /// Starts watching. Changes after the returned revision are notified once the connection is released.
    ///
    /// - Parameter isShown: whether a change of the issuer is for this connection.
    func subscribe(
        _ connection: ConnectionID, sink: any NotificationSink, isShown: @escaping @Sendable (String) -> Bool
    ) -> Int {
        state.withLock { state in
            guard state.open.contains(connection) else { return state.revision }
            let fetched = state.watchers[connection]?.fetched ?? [:]
            state.watchers[connection] = Watcher(sink: sink, isShown: isShown, isNotifying: true, fetched: fetched)
            return state.revision
        }
    }

    /// Lets the notifications of a connection go, its snapshot being on the way.
    func release(_ connection: ConnectionID) {
        state.withLock { $0.watchers[connection]?.isNotifying = false }
        notify(connection)
    }

    /// Whether the connection waits for notifications, and so has reason to be silent.
    func isWatching(_ connection: ConnectionID) -> Bool {
        state.withLock { $0.watchers[connection] != nil }
    }

    /// The connection watches no more.
    func unsubscribe(_ connection: ConnectionID) {
        state.withLock { $0.watchers[connection] = nil }
        resumeSatisfied()
    }

    /// A connection has ended.
    func disconnected(_ connection: ConnectionID) {
        state.withLock { state in
            state.open.remove(connection)
            state.watchers[connection] = nil
        }
        resumeSatisfied()
    }

    /// Tells every watcher that the issuer has a new generation, or is gone.
    func publish(_ issuer: WatchedIssuer) {
        let watching = state.withLock { state -> [ConnectionID] in
            state.revision += 1
            for (connection, watcher) in state.watchers where watcher.isShown(issuer.name) {
                state.watchers[connection]?.pending[issuer.name] = issuer
                // One created again under the name counts its generations anew.
                if issuer.deleted == true { state.watchers[connection]?.fetched[issuer.name] = nil }
            }
            return Array(state.watchers.keys)
        }
        for connection in watching { notify(connection) }
        if issuer.deleted == true { resumeSatisfied() }
    }

    /// Notes that a watching connection has been given the documents of this generation.
    func noteFetch(by connection: ConnectionID, issuer: String, generation: Int) {
        let isWatching = state.withLock { state in
            guard state.watchers[connection] != nil else { return false }
            let earlier = state.watchers[connection]?.fetched[issuer] ?? 0
            state.watchers[connection]?.fetched[issuer] = max(earlier, generation)
            return true
        }
        if isWatching { resumeSatisfied() }
    }

    /// Waits until every watching frontend has fetched the issuer's documents of at least this generation, for a second or
    /// the time given at most. A frontend is a watcher that has fetched the issuer's documents before.
    func awaitPublication(of issuer: String, generation: Int) async -> PublicationView {
        let watching = frontends(of: issuer)
        guard !watching.isEmpty else { return PublicationView(outcome: "unwatched", fetched: 0, watching: 0) }
        await withCheckedContinuation { continuation in
            let number = state.withLock { state in
                state.waiterCount += 1
                state.waiting.append(
                    Waiter(
                        number: state.waiterCount, issuer: issuer, generation: generation, continuation: continuation))
                return state.waiterCount
            }
            Task {
                try await Task.sleep(for: publicationLimit)
                self.resume { $0.number == number }
            }
            resumeSatisfied()
        }
        let current = frontends(of: issuer)
        let fetched = current.count { $0 >= generation }
        return PublicationView(
            outcome: current.isEmpty ? "unwatched" : fetched == current.count ? "fetched" : "timed-out", fetched: fetched,
            watching: current.count)
    }

    private func frontends(of issuer: String) -> [Int] {
        state.withLock { state in state.watchers.values.compactMap { $0.fetched[issuer] } }
    }

    private func notify(_ connection: ConnectionID) {
        let next = state.withLock { state -> (any NotificationSink, IssuerChanges)? in
            guard let watcher = state.watchers[connection], !watcher.isNotifying, !watcher.pending.isEmpty else { return nil }
            let issuers = watcher.pending.values.sorted { $0.name < $1.name }
            state.watchers[connection]?.isNotifying = true
            state.watchers[connection]?.pending = [:]
            return (watcher.sink, IssuerChanges(revision: state.revision, issuers: issuers))
        }
        guard let (sink, changes) = next else { return }
        sink.notify(changes) { self.release(connection) }
    }

    /// Resumes waiters that nobody keeps waiting any more.
    private func resumeSatisfied() {
        resume { waiter in self.frontends(of: waiter.issuer).allSatisfy { $0 >= waiter.generation } }
    }

    private func resume(where isDone: (Waiter) -> Bool) {
        let waiting = state.withLock { $0.waiting }
        let done = Set(waiting.filter(isDone).map(\.number))
        guard !done.isEmpty else { return }
        let resumed = state.withLock { state -> [Waiter] in
            defer { state.waiting.removeAll { done.contains($0.number) } }
            return state.waiting.filter { done.contains($0.number) }
        }
        for waiter in resumed { waiter.continuation.resume() }
    }
}
