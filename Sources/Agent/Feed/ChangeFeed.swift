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

/// Tells watching connections which issuers changed, and knows what each of them serves.
///
/// Each watcher has at most one notification under way; what changes meanwhile is folded into the next, so a slow reader
/// costs a set of names and misses nothing.
final class ChangeFeed: Sendable {
    struct Watcher {
        let sink: any NotificationSink
        /// Whether the caller may see an issuer, by the rules in force when that is asked.
        let isShown: @Sendable (String) -> Bool
        /// Whether it says what it serves. One that does not is taken to serve what it has fetched.
        let acknowledges: Bool
        var pending: [String: WatchedIssuer] = [:]
        /// Whether a notification is on its way, or must wait for the snapshot.
        var isNotifying: Bool
        /// What it serves of each issuer.
        var served: [String: ServedIssuer] = [:]
        /// Whether it has said what it serves since it began to watch.
        var isSettled = false
    }

    struct State {
        var revision = 0
        /// Connections that have not ended: a request may outlive its connection.
        var open: Set<ConnectionID> = []
        var watchers: [ConnectionID: Watcher] = [:]
        /// Watchers that have said what they serve: frontends.
        var settled: Int { watchers.values.count { $0.isSettled } }
        /// Frontends there were before the agent was restarted, as long as they may still come back.
        var expected = 0
        var waiting: [PublicationWaiter] = []
        /// Waiters there have been; the number of the next one.
        var waiterCount = 0
    }

    let state = Locked(State())
    let limits: Limits

    /// How long changes wait for frontends at most.
    struct Limits: Sendable {
        /// For those that are there to serve a fresh key: a second unless given.
        var publication = Duration.seconds(1)
        /// For those that were there before a restart of the agent to be there again: 10 s, since they try every 5 s at least.
        var comeback = Duration.seconds(10)
        /// For the standby key of a fresh issuer to be made: 5 s unless given.
        var standby = Duration.seconds(5)
    }

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// A connection is there. To be called before it can ask for anything.
    func connected(_ connection: ConnectionID) {
        state.withLock { _ = $0.open.insert(connection) }
    }

    /// Starts watching. Changes after the returned revision are notified once the connection is released.
    ///
    /// - Parameter isShown: whether a change of the issuer is for this connection.
    func subscribe(
        _ connection: ConnectionID, sink: any NotificationSink, acknowledges: Bool,
        isShown: @escaping @Sendable (String) -> Bool
    ) -> Int {
        state.withLock { state in
            guard state.open.contains(connection) else { return state.revision }
            var watcher = Watcher(sink: sink, isShown: isShown, acknowledges: acknowledges, isNotifying: true)
            if let former = state.watchers[connection] {
                (watcher.served, watcher.isSettled) = (former.served, former.isSettled)
            }
            state.watchers[connection] = watcher
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
                // One created again under the name has nothing to do with what is served of this one.
                if issuer.deleted == true { state.watchers[connection]?.served[issuer.name] = nil }
            }
            return Array(state.watchers.keys)
        }
        for connection in watching { notify(connection) }
        if issuer.deleted == true { resumeSatisfied() }
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
}
