import Platform
import Synchronization

/// What one party has of the agent at a time, over all of its connections: memory, and requests that are carried out.
///
/// A connection for which there is no room waits, and the share calls it when there is: whatever makes room, a reply that the
/// caller has taken, an operation that has ended, or the end of a pause, looks for connections to call.
final class PartyShare: Sendable {
    /// Whether a party has room for more, at one moment.
    struct Room: Equatable, Sendable {
        /// Whether it holds as much memory as it may.
        var isFull = false
        /// Whether it has sent so much of no use that it is not read from for a while.
        var isPaused = false

        /// - Parameter isHeldAnyway: there is room for it whatever is held, since waiting would free nothing.
        func admits(isHeldAnyway: Bool) -> Bool { !isPaused && (isHeldAnyway || !isFull) }
    }

    private struct State {
        var operations = OperationPlaces()
        /// Connections that are not read from.
        var awaitingRoom: Set<ConnectionID> = []
        /// Whether a task calls when a pause is over.
        var isTimed = false
        /// When the log was last told of a refused connection, in nanoseconds of the monotonic clock, and how many it has not
        /// been told of.
        var refusalLoggedAt: Int64?
        var unloggedRefusals = 0
    }

    let party: Party
    private let memory: SharedMemory
    private let account: Conduct.Account
    private let call: @Sendable (ConnectionID) -> Bool
    /// Nothing else is locked with it, and connections are called without it.
    private let state = Locked(State())
    /// Bytes of what has been read and not carried out, is carried out, or waits to be taken.
    private let heldBytes = Atomic(0)
    /// Whether a connection waits for room.
    private let hasWaiting = Atomic(false)

    /// Nanoseconds between two lines in the log about refused connections.
    private static let refusalSilence: Int64 = 10_000_000_000

    /// - Parameter call: calls a connection that waits; false when it has ended.
    init(
        _ party: Party, _ account: Conduct.Account, memory: SharedMemory, call: @escaping @Sendable (ConnectionID) -> Bool
    ) {
        self.party = party
        self.account = account
        self.memory = memory
        self.call = call
        memory.addParty()
    }

    deinit {
        memory.removeParty()
    }

    /// Whether nothing is held and nothing is carried out for the party.
    var isUnused: Bool { state.withLock { $0.operations.taken == 0 } && held == 0 }

    /// A connection has ended. Another may have what it was called for: `callForOperations()`.
    func forget(_ id: ConnectionID) {
        state.withLock { state in
            state.awaitingRoom.remove(id)
            state.operations.forget(id)
        }
    }

    /// A connection has been refused.
    ///
    /// - Returns: how many have been since the log was told; `nil` when it is not to be told again yet.
    func countRefusal(at now: Int64) -> Int? {
        // A party that goes on is read more rarely on the connections it has.
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

    /// Bytes that are held for the party.
    var held: Int { heldBytes.load(ordering: .sequentiallyConsistent) }

    /// Whether all parties together have so much that connections have to go.
    var isMemoryExhausted: Bool { memory.isExhausted }

    var room: Room { Room(isFull: held >= memory.part, isPaused: account.pause != nil) }

    /// Notes that more is held, or less.
    func hold(_ bytes: Int) {
        guard bytes != 0 else { return }
        memory.hold(bytes)
        let now = heldBytes.add(bytes, ordering: .sequentiallyConsistent).newValue
        if bytes < 0, hasWaiting.load(ordering: .sequentiallyConsistent), now < memory.part / 2 { callForRoom() }
    }

    /// Whether there is room for what the connection waits with. If not, the share calls it when that may have changed.
    ///
    /// - Parameter isHeldAnyway: as in `Room`.
    func admits(_ id: ConnectionID, isHeldAnyway: Bool = false) -> Bool {
        let isFull = !isHeldAnyway && held >= memory.part
        guard isFull || account.pause != nil else { return true }
        let (isWaiting, pause) = state.withLock { state -> (Bool, Int64?) in
            state.awaitingRoom.insert(id)
            hasWaiting.store(true, ordering: .sequentiallyConsistent)
            // Whatever made room before that has called no connection.
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
            // The task that calls at the end of the pause calls them all.
            if state.isTimed, account.pause != nil { return [] }
            hasWaiting.store(false, ordering: .sequentiallyConsistent)
            defer { state.awaitingRoom = [] }
            return state.awaitingRoom
        }
        for id in waiting { _ = call(id) }
    }

    // MARK: - Operations

    /// Whether the connection may have a request other than `sign` carried out. If not, the share calls it when it may.
    func beginOperation(_ id: ConnectionID) -> Bool {
        state.withLock { $0.operations.take(for: id) }
    }

    func endOperation() {
        state.withLock { $0.operations.giveBack() }
        callForOperations()
    }

    /// Calls a connection that waits, if there is room for an operation.
    func callForOperations() {
        while let id = state.withLock({ $0.operations.nextToCall() }), !call(id) {
            state.withLock { $0.operations.forget(id) }
        }
    }
}
