import AgentProtocol
import IssuerStore

/// Which connections watch, what each of them serves, and which changes wait for that.
///
/// A value that says which notifications are to be sent and which waiters are to go on, and does neither: `ChangeFeed` does,
/// once it has given its lock back.
struct Watchers {
    /// A notification for a connection, which is to be released once it has taken it.
    struct Notification {
        let connection: ConnectionID
        let sink: any NotificationSink
        let changes: IssuerChanges
    }

    /// A change that waits for the frontends to serve a generation of an issuer.
    private struct Waiter {
        let number: Int
        let issuer: String
        let generation: Int
    }

    private struct Watcher {
        let sink: any NotificationSink
        let origin: WatchOrigin
        /// Whether the caller may see an issuer, by the rules in force when that is asked.
        let isShown: @Sendable (String) -> Bool
        /// Whether it says what it serves. One that does not is taken to serve what it has fetched.
        let acknowledges: Bool
        var pending: [String: WatchedIssuer] = [:]
        /// Whether a notification is on its way, or must wait for the snapshot.
        var isNotifying: Bool
        /// What it serves of each issuer.
        var served: [String: ServedIssuer] = [:]
        /// Issuers that have been deleted since it began to watch: the latest ones, since what waits for it does so for a moment.
        var deleted: [String: Deletion] = [:]
        /// Whether it has said what it serves since it began to watch.
        var isSettled = false

        mutating func note(_ deletion: Deletion, of issuer: String) {
            deleted[issuer] = deletion
            guard deleted.count > FollowingFrontend.deletionLimit else { return }
            if let oldest = deleted.min(by: { $0.value.number < $1.value.number }) { deleted[oldest.key] = nil }
        }

        /// Whether it is a frontend, as far as one can know.
        var isFrontend: Bool { acknowledges || isSettled }

        /// How it stands with a generation of an issuer.
        func standing(_ issuer: String, _ generation: Int) -> Standing {
            if let deletion = deleted[issuer], generation <= deletion.generation {
                return deletion.isServed ? .serves : .lacks
            }
            let served = served[issuer]
            if let served, served.generation >= generation { return served.urls > 0 ? .serves : .none }
            return (acknowledges ? isShown(issuer) : served != nil) ? .lacks : .none
        }
    }

    /// Of an issuer that is gone.
    private struct Deletion {
        /// The revision of the notification.
        let number: Int
        /// Its last.
        let generation: Int
        /// Whether the frontend has said that it serves nothing of it.
        var isServed = false
    }

    private enum Standing {
        case serves, lacks
        /// The issuer is none of its business.
        case none
    }

    private var revision = 0
    /// Connections that have not ended: a request may outlive its connection.
    private var open: Set<ConnectionID> = []
    private var watchers: [ConnectionID: Watcher] = [:]
    /// Frontends there were before the agent was restarted, as long as they may still come back.
    private(set) var expected = 0
    private var waiting: [Waiter] = []
    /// Waiters there have been; the number of the last one.
    private var waiterCount = 0

    /// Watchers that have said what they serve: frontends.
    var frontendCount: Int { watchers.values.count { $0.isSettled } }

    func isWatching(_ connection: ConnectionID) -> Bool { watchers[connection] != nil }

    /// What a watcher is taken to serve, by issuer; `nil` for a connection that does not watch.
    func served(by connection: ConnectionID) -> [String: ServedIssuer]? { watchers[connection]?.served }

    // MARK: - Who watches

    mutating func connected(_ connection: ConnectionID) {
        open.insert(connection)
    }

    mutating func disconnected(_ connection: ConnectionID) {
        open.remove(connection)
        watchers[connection] = nil
    }

    /// - Returns: the revision after which changes are notified, once the connection is released.
    mutating func subscribe(
        _ connection: ConnectionID, sink: any NotificationSink, acknowledges: Bool, origin: WatchOrigin,
        isShown: @escaping @Sendable (String) -> Bool
    ) -> Int {
        guard open.contains(connection) else { return revision }
        var watcher = Watcher(sink: sink, origin: origin, isShown: isShown, acknowledges: acknowledges, isNotifying: true)
        if let former = watchers[connection] {
            (watcher.served, watcher.deleted, watcher.isSettled) = (former.served, former.deleted, former.isSettled)
        }
        watchers[connection] = watcher
        return revision
    }

    mutating func unsubscribe(_ connection: ConnectionID) {
        watchers[connection] = nil
    }

    // MARK: - What is notified

    /// The connection has taken its snapshot, or its last notification.
    ///
    /// - Returns: the next one, if anything has changed meanwhile.
    mutating func release(_ connection: ConnectionID) -> Notification? {
        watchers[connection]?.isNotifying = false
        return next(for: connection)
    }

    /// An issuer has a new generation, or is gone.
    ///
    /// - Returns: the notifications for those that have none under way.
    mutating func publish(_ issuer: WatchedIssuer) -> [Notification] {
        revision += 1
        for (connection, watcher) in watchers where watcher.isShown(issuer.name) {
            watchers[connection]?.pending[issuer.name] = issuer
            // One created again under the name has nothing to do with what is served of this one.
            guard issuer.deleted == true else { continue }
            watchers[connection]?.served[issuer.name] = nil
            if watcher.acknowledges || watcher.served[issuer.name] != nil {
                watchers[connection]?.note(Deletion(number: revision, generation: issuer.generation), of: issuer.name)
            }
        }
        return watchers.keys.compactMap { next(for: $0) }
    }

    private mutating func next(for connection: ConnectionID) -> Notification? {
        guard let watcher = watchers[connection], !watcher.isNotifying, !watcher.pending.isEmpty else { return nil }
        watchers[connection]?.isNotifying = true
        watchers[connection]?.pending = [:]
        let issuers = watcher.pending.values.sorted { $0.name < $1.name }
        return Notification(
            connection: connection, sink: watcher.sink, changes: IssuerChanges(revision: revision, issuers: issuers))
    }

    // MARK: - What is served

    /// A connection has been given the documents of this generation. A watcher that says nothing of its own serves them from
    /// then on.
    mutating func noteFetch(by connection: ConnectionID, issuer: String, generation: Int) {
        guard watchers[connection]?.acknowledges == false else { return }
        note([ServedIssuer(name: issuer, generation: generation, urls: 1)], servedBy: connection)
    }

    /// - Returns: false for a connection that does not watch, or has not said that it would acknowledge.
    mutating func acknowledge(_ issuers: [ServedIssuer], by connection: ConnectionID) -> Bool {
        guard watchers[connection]?.acknowledges == true else { return false }
        note(issuers, servedBy: connection)
        return true
    }

    private mutating func note(_ issuers: [ServedIssuer], servedBy connection: ConnectionID) {
        guard var watcher = watchers[connection] else { return }
        for issuer in issuers
        where issuer.generation >= watcher.served[issuer.name]?.generation ?? 0 && watcher.isShown(issuer.name) {
            if let deletion = watcher.deleted[issuer.name] {
                if issuer.generation > deletion.generation {
                    watcher.deleted[issuer.name] = nil
                } else if issuer.urls == 0 {
                    watcher.deleted[issuer.name]?.isServed = true
                } else {
                    // It said so before it knew of the deletion.
                    continue
                }
            }
            watcher.served[issuer.name] = issuer
        }
        watcher.isSettled = true
        watchers[connection] = watcher
        if frontendCount >= expected { expected = 0 }
    }

    // MARK: - Which changes wait

    /// From now on changes wait for so many frontends, until as many have said what they serve; with 0, for those alone that
    /// are there.
    mutating func expect(_ count: Int) {
        expected = count
    }

    /// - Returns: the number by which the waiter is taken by `takeSatisfied()` or ended by `endWait(_:)`.
    mutating func wait(for issuer: String, generation: Int) -> Int {
        waiterCount += 1
        waiting.append(Waiter(number: waiterCount, issuer: issuer, generation: generation))
        return waiterCount
    }

    /// The waiter has waited as long as it may.
    mutating func endWait(_ number: Int) {
        waiting.removeAll { $0.number == number }
    }

    /// Takes the waiters that no frontend keeps waiting any more.
    mutating func takeSatisfied() -> [Int] {
        guard !waiting.isEmpty else { return [] }
        let satisfied = waiting.filter { !isAwaiting($0.issuer, generation: $0.generation) }.map(\.number)
        waiting.removeAll { satisfied.contains($0.number) }
        return satisfied
    }

    /// Whether a frontend that serves the issuer, or is about to, has not said that it serves this generation, or is still to
    /// come back.
    func isAwaiting(_ issuer: String, generation: Int) -> Bool {
        tally(issuer, generation).isAwaited
    }

    func outcome(of issuer: String, generation: Int) -> PublicationOutcome {
        let tally = tally(issuer, generation)
        guard tally.watching > 0 else { return .unserved }
        return tally.published == tally.watching
            ? .published(frontends: tally.published) : .timedOut(published: tally.published, watching: tally.watching)
    }

    /// Who serves this generation of the issuer, of those that do or are about to.
    private func tally(_ issuer: String, _ generation: Int) -> (published: Int, watching: Int, isAwaited: Bool) {
        var (published, watching) = (0, 0)
        var isAwaited = false
        for watcher in watchers.values {
            switch watcher.standing(issuer, generation) {
            case .serves: published += 1
            case .lacks: isAwaited = true
            case .none: continue
            }
            watching += 1
        }
        let missing = max(0, expected - frontendCount)
        return (published, watching + missing, isAwaited || missing > 0)
    }

    // MARK: - Who they are

    /// The frontends, the longest there first, and what each does not serve of what is wanted, or serves of what has been deleted.
    ///
    /// - Parameters:
    ///   - wanted: generations by issuer, of which it is said who does not serve them.
    ///   - usual: the seconds after which one turns unready that has not said so.
    func frontends(lacking wanted: [String: Int], staleAfter usual: Int) -> [FollowingFrontend] {
        ordered.filter(\.value.isFrontend).map { connection, watcher in
            let lacking = wanted.filter { watcher.standing($0.key, $0.value) == .lacks }
            return watcher.origin.frontend(
                connection, lacking: Set(lacking.keys).union(watcher.deleted.filter { !$0.value.isServed }.keys),
                staleAfter: usual)
        }
    }

    /// Those that serve an issuer or are about to, and of these which do not serve the generation yet.
    func frontends(of issuer: String, generation: Int, staleAfter usual: Int) -> [FollowingFrontend] {
        ordered.compactMap { connection, watcher in
            switch watcher.standing(issuer, generation) {
            case .none: nil
            case .serves: watcher.origin.frontend(connection, lacking: [], staleAfter: usual)
            case .lacks: watcher.origin.frontend(connection, lacking: [issuer], staleAfter: usual)
            }
        }
    }

    private var ordered: [(key: ConnectionID, value: Watcher)] {
        watchers.sorted { $0.key.number < $1.key.number }
    }
}

/// Whose a connection that watches is.
struct WatchOrigin: Sendable {
    let caller: Caller
    /// The seconds after which it turns unready, if it has said so.
    var staleAfter: Int?

    fileprivate func frontend(
        _ connection: ConnectionID, lacking: Set<String>, staleAfter usual: Int
    ) -> FollowingFrontend {
        FollowingFrontend(
            name: FollowingFrontend.Name(
                number: connection.number, uid: caller.uid, user: caller.user, pid: caller.pid),
            staleAfter: staleAfter ?? usual, unserved: lacking)
    }
}
