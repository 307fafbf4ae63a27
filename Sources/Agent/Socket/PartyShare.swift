import Platform
import Synchronization

/// What the agent holds for all callers together, and how many parties there are to divide it among.
final class SharedMemory: Sendable {
    private let held = Atomic(0)
    private let parties = Atomic(0)

    /// Bytes that parties have together; each has an equal part, but no more than is of use, nor less than one needs.
    private static let most = 32 << 20
    private static let mostOfOne = 4 << 20
    private static let leastOfOne = 256 << 10
    /// Bytes in all above which the party with the most loses connections.
    private static let limit = 64 << 20

    /// Bytes one party may have now.
    var part: Int { max(min(Self.most / max(parties.load(ordering: .relaxed), 1), Self.mostOfOne), Self.leastOfOne) }

    /// Bytes that all have together.
    var bytes: Int { held.load(ordering: .relaxed) }

    var isExhausted: Bool { bytes > Self.limit }

    fileprivate func add(_ bytes: Int) {
        held.add(bytes, ordering: .relaxed)
    }

    fileprivate func count(parties change: Int) {
        parties.add(change, ordering: .relaxed)
    }
}

/// What one party has of the agent at a time, over all of its connections: memory, and requests that are carried out. Connections
/// for which there is no room wait, and are called again when there is.
final class PartyShare: Sendable {
    private struct State {
        var connections = 0
        /// Requests other than `sign` that are carried out.
        var operations = 0
        /// Connections with such a request in hand, in the order they came.
        var awaitingOperation: [ConnectionID] = []
        /// Those that have been called and have not come yet.
        var called: Set<ConnectionID> = []
        /// Connections that are not read from.
        var awaitingRoom: Set<ConnectionID> = []
        /// Whether somebody calls when a pause is over.
        var isTimed = false
        /// When the log was last told of a refused connection, in nanoseconds of the monotonic clock, and how many it has not
        /// been told of.
        var refusalLoggedAt: Int64?
        var unloggedRefusals = 0
    }

    let party: Party
    private let memory: SharedMemory
    private let account: Conduct.Account
    private let retry: @Sendable (ConnectionID) -> Bool
    private let state = Locked(State())
    /// Bytes of what has been read and not carried out, is carried out, or waits to be taken.
    private let heldBytes = Atomic(0)
    private let hasWaiting = Atomic(false)

    /// Requests other than `sign` that are carried out at a time.
    private static let mostOperations = 8
    /// Nanoseconds between two lines in the log about refused connections.
    private static let refusalSilence: Int64 = 10_000_000_000

    /// - Parameter retry: calls a connection that waits; false when it has ended. Not called with anything locked here.
    init(
        _ party: Party, _ account: Conduct.Account, memory: SharedMemory, retry: @escaping @Sendable (ConnectionID) -> Bool
    ) {
        self.party = party
        self.account = account
        self.memory = memory
        self.retry = retry
        memory.count(parties: 1)
    }

    deinit {
        memory.count(parties: -1)
    }

    // MARK: - Connections

    /// Connections it has, those that are being taken in included.
    var connections: Int { state.withLock { $0.connections } }

    func beginConnection() {
        state.withLock { $0.connections += 1 }
    }

    /// - Parameter id: `nil` for one that was not taken in after all. Another may have what this one was called for:
    ///   `callForOperations()`.
    func endConnection(_ id: ConnectionID?) {
        state.withLock { state in
            state.connections -= 1
            guard let id else { return }
            state.awaitingRoom.remove(id)
            state.awaitingOperation.removeAll { $0 == id }
            state.called.remove(id)
        }
    }

    /// Whether nothing is left that would have to be counted.
    var isUnused: Bool { state.withLock { $0.connections == 0 && $0.operations == 0 } && held == 0 }

    /// How many connections have been refused since the log was told; `nil` when it is not to be told again yet.
    func countRefusal(at now: Int64) -> Int? {
        // Who goes on is read more rarely on the connections it has.
        account.note()
        return state.withLock { state in
            if let last = state.refusalLoggedAt, now - last < Self.refusalSilence {
                state.unloggedRefusals += 1
                return nil
            }
            defer { (state.refusalLoggedAt, state.unloggedRefusals) = (now, 0) }
            return state.unloggedRefusals
        }
    }

    // MARK: - Memory

    /// Bytes that are held for it.
    var held: Int { heldBytes.load(ordering: .sequentiallyConsistent) }

    /// Whether all parties together have so much that connections have to go.
    var isMemoryExhausted: Bool { memory.isExhausted }

    /// Notes that more is held, or less.
    func hold(_ bytes: Int) {
        guard bytes != 0 else { return }
        memory.add(bytes)
        let now = heldBytes.add(bytes, ordering: .sequentiallyConsistent).newValue
        if bytes < 0, hasWaiting.load(ordering: .sequentiallyConsistent), now < memory.part / 2 { callForRoom() }
    }

    /// Whether more may be read from the connection, and what has been read be carried out. If not, it is called when that
    /// may have changed.
    ///
    /// - Parameter isHeldAnyway: there is room for it whatever is held, since waiting would free nothing.
    func admits(_ id: ConnectionID, isHeldAnyway: Bool = false) -> Bool {
        let isFull = !isHeldAnyway && held >= memory.part
        guard isFull || account.pause != nil else { return true }
        let (isWaiting, pause) = state.withLock { state -> (Bool, Int64?) in
            state.awaitingRoom.insert(id)
            hasWaiting.store(true, ordering: .sequentiallyConsistent)
            // What has changed before that calls nobody.
            let pause = account.pause
            if pause == nil, !isFull || held < memory.part / 2 {
                state.awaitingRoom.remove(id)
                return (false, nil)
            }
            guard pause != nil, !state.isTimed else { return (true, nil) }
            state.isTimed = true
            return (true, pause)
        }
        if let pause { callAfter(pause) }
        return !isWaiting
    }

    private func callAfter(_ nanoseconds: Int64) {
        Task {
            try? await Task.sleep(for: .nanoseconds(nanoseconds))
            state.withLock { $0.isTimed = false }
            callForRoom()
        }
    }

    private func callForRoom() {
        let waiting = state.withLock { state -> Set<ConnectionID> in
            // Who calls at the end of the pause calls them all.
            if state.isTimed, account.pause != nil { return [] }
            hasWaiting.store(false, ordering: .sequentiallyConsistent)
            defer { state.awaitingRoom = [] }
            return state.awaitingRoom
        }
        for id in waiting { _ = retry(id) }
    }

    // MARK: - Operations

    /// Whether the connection may have a request other than `sign` carried out. If not, it is called when it may.
    func beginOperation(_ id: ConnectionID) -> Bool {
        state.withLock { state in
            if state.operations < Self.mostOperations {
                state.operations += 1
                state.called.remove(id)
                state.awaitingOperation.removeAll { $0 == id }
                return true
            }
            if !state.awaitingOperation.contains(id) {
                // Who was called, and found that another had come first, is the next.
                let wasCalled = state.called.remove(id) != nil
                state.awaitingOperation.insert(id, at: wasCalled ? 0 : state.awaitingOperation.count)
            }
            return false
        }
    }

    func endOperation() {
        state.withLock { $0.operations -= 1 }
        callForOperations()
    }

    /// Calls a connection that waits, if there is room for an operation.
    func callForOperations() {
        while let id = state.withLock({ state -> ConnectionID? in
            guard state.operations < Self.mostOperations, !state.awaitingOperation.isEmpty else { return nil }
            let next = state.awaitingOperation.removeFirst()
            state.called.insert(next)
            return next
        }), !retry(id) { state.withLock { _ = $0.called.remove(id) } }
    }
}
