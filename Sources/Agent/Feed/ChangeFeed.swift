import AgentProtocol
import IssuerStore
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

/// Tells watching connections which issuers changed, and has changes wait until frontends serve what they publish.
///
/// Each watcher has at most one notification under way; what changes meanwhile is folded into the next, so a slow reader
/// costs a set of names and misses nothing.
final class ChangeFeed: Sendable {
    struct State {
        var watchers = Watchers()
        /// Of the changes that wait, by the number of the waiter.
        var continuations: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    /// Under it a watcher's `isShown` is called, which takes the lock of the gate's policy: that one is the inner one, and
    /// nothing of this class may be called under it.
    let state = Locked(State())
    let limits: Limits

    /// How long changes wait for frontends at most.
    struct Limits: Sendable {
        /// For those that are there to serve a fresh key: a second unless given.
        var publication = Duration.seconds(1)
        /// For frontends to serve no more what was revoked: a second unless given.
        var withdrawal = Duration.seconds(1)
        /// For those that were there before a restart of the agent to be there again: 10 s, since they try every 5 s at least.
        var comeback = Duration.seconds(10)
        /// For the standby key of a fresh issuer to be made: 5 s unless given.
        var standby = Duration.seconds(5)
    }

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    // MARK: - Who watches

    /// A connection is there. To be called before it can ask for anything.
    func connected(_ connection: ConnectionID) {
        state.withLock { $0.watchers.connected(connection) }
    }

    /// A connection has ended.
    func disconnected(_ connection: ConnectionID) {
        changeServing { $0.disconnected(connection) }
    }

    /// Starts watching. Changes after the returned revision are notified once the connection is released.
    ///
    /// - Parameter isShown: whether a change of the issuer is for this connection.
    func subscribe(
        _ connection: ConnectionID, sink: any NotificationSink, acknowledges: Bool, origin: WatchOrigin,
        isShown: @escaping @Sendable (String) -> Bool
    ) -> Int {
        state.withLock {
            $0.watchers.subscribe(connection, sink: sink, acknowledges: acknowledges, origin: origin, isShown: isShown)
        }
    }

    /// The connection watches no more.
    func unsubscribe(_ connection: ConnectionID) {
        changeServing { $0.unsubscribe(connection) }
    }

    /// Whether the connection waits for notifications, and so has reason to be silent.
    func isWatching(_ connection: ConnectionID) -> Bool {
        state.withLock { $0.watchers.isWatching(connection) }
    }

    /// Frontends that watch now.
    var frontendCount: Int {
        state.withLock { $0.watchers.frontendCount }
    }

    /// The frontends, the longest there first, and which of the wanted generations each does not serve. An issuer that has been
    /// deleted counts as not served as long as one has not said that it serves nothing of it.
    func frontends(lacking wanted: [String: Int], staleAfter usual: Int) -> [FollowingFrontend] {
        state.withLock { $0.watchers.frontends(lacking: wanted, staleAfter: usual) }
    }

    /// The frontends that serve an issuer or are about to, and of these which do not serve the generation yet.
    func frontends(of issuer: String, generation: Int, staleAfter usual: Int) -> [FollowingFrontend] {
        state.withLock { $0.watchers.frontends(of: issuer, generation: generation, staleAfter: usual) }
    }

    // MARK: - Notifying

    /// Tells every watcher that the issuer has a new generation, or is gone.
    func publish(_ issuer: String, generation: Int, isDeleted: Bool = false) {
        let change = WatchedIssuer(name: issuer, generation: generation, deleted: isDeleted ? true : nil)
        for notification in state.withLock({ $0.watchers.publish(change) }) { send(notification) }
        // What was served of it counts no more.
        if isDeleted { changeServing { _ in } }
    }

    /// Lets the notifications of a connection go, its snapshot being on the way.
    func release(_ connection: ConnectionID) {
        if let next = state.withLock({ $0.watchers.release(connection) }) { send(next) }
    }

    private func send(_ notification: Watchers.Notification) {
        notification.sink.notify(notification.changes) { self.release(notification.connection) }
    }

    // MARK: - What is served

    /// Notes that a watching connection has been given the documents of this generation. One that says nothing of its own
    /// serves them from then on.
    func noteFetch(by connection: ConnectionID, issuer: String, generation: Int) {
        changeServing { $0.noteFetch(by: connection, issuer: issuer, generation: generation) }
    }

    /// Notes what a watching connection says to serve.
    ///
    /// - Returns: whether it watches, and has said that it would say so.
    func acknowledge(_ issuers: [ServedIssuer], by connection: ConnectionID) -> Bool {
        changeServing { $0.acknowledge(issuers, by: connection) }
    }

    /// Waits from now on for as many frontends to be there again as there were before the agent was restarted, as long as
    /// frontends may take for that.
    func expect(_ count: Int) {
        guard count > 0 else { return }
        changeServing { $0.expect(count) }
        Task {
            try await Task.sleep(for: limits.comeback)
            changeServing { $0.expect(0) }
        }
    }

    /// Whether a frontend that serves the issuer, or is about to, has not said that it serves this generation, or is still to
    /// come back.
    func isAwaiting(_ issuer: String, generation: Int) -> Bool {
        state.withLock { $0.watchers.isAwaiting(issuer, generation: generation) }
    }

    /// Waits until every frontend serves the issuer's documents of at least this generation: those that were there before the
    /// agent was restarted for as long as they take to come back, and then as long as a publication may take.
    func awaitPublication(of issuer: String, generation: Int) async -> PublicationOutcome {
        // Where no frontend is to be waited for, no clock has to be started.
        if isAwaiting(issuer, generation: generation) {
            await withCheckedContinuation { continuation in
                let number = state.withLock { state in
                    let number = state.watchers.wait(for: issuer, generation: generation)
                    state.continuations[number] = continuation
                    return number
                }
                Task {
                    let comeback = state.withLock { $0.watchers.expected > 0 } ? limits.comeback : .zero
                    try await Task.sleep(for: comeback + limits.publication)
                    endWait(number)
                }
                // A frontend may have said so since the look above.
                changeServing { _ in }
            }
        }
        return state.withLock { $0.watchers.outcome(of: issuer, generation: generation) }
    }

    private func endWait(_ number: Int) {
        let continuation = state.withLock { state in
            state.watchers.endWait(number)
            return state.continuations.removeValue(forKey: number)
        }
        continuation?.resume()
    }

    /// Changes what is served, or who is there to serve, and has the changes go on that no frontend keeps waiting any more.
    @discardableResult
    private func changeServing<Result: Sendable>(_ change: (inout Watchers) -> Result) -> Result {
        let (result, satisfied) = state.withLock { state in
            let result = change(&state.watchers)
            let satisfied = state.watchers.takeSatisfied().compactMap { state.continuations.removeValue(forKey: $0) }
            return (result, satisfied)
        }
        for continuation in satisfied { continuation.resume() }
        return result
    }
}
