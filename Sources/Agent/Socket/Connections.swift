import AgentProtocol
import Logging
import Platform

/// The open connections: takes them in, closes those that have to go, and ends them all.
final class Connections: Sendable {
    private struct State {
        var open: [UInt64: Connection] = [:]
        /// Of connections that are open or are being taken in.
        var places: ConnectionPlaces
        var shares: [Party: PartyShare] = [:]
        /// The number of the last connection.
        var number: UInt64 = 0
        var isClosing = false
    }

    private let limits: ConnectionLimits
    private let dispatcher: Dispatcher
    private let writes: WriteGathering
    private let feed: ChangeFeed
    private let names: UserNames
    private let log: Logger
    private let memory = SharedMemory()
    /// With it a party's share is asked whether it is of use yet; nothing else is locked with it, and no connection called.
    private let state: Locked<State>
    /// Connections that are open.
    private let open = InFlightCounter()

    init(
        _ limits: ConnectionLimits, dispatcher: Dispatcher, writes: WriteGathering, feed: ChangeFeed, names: UserNames,
        log: Logger
    ) {
        self.limits = limits
        self.dispatcher = dispatcher
        self.writes = writes
        self.feed = feed
        self.names = names
        self.log = log
        state = Locked(State(places: ConnectionPlaces(total: limits.total)))
    }

    /// The connection with this number, which is its `ConnectionID`'s.
    subscript(number: UInt64) -> Connection? {
        state.withLock { $0.open[number] }
    }

    /// Connections that are open or are being taken in.
    var count: Int { state.withLock { $0.places.count } }

    /// Bytes that are held for all connections.
    var heldBytes: Int { memory.bytes }

    private var all: [Connection] { state.withLock { Array($0.open.values) } }

    // MARK: - Coming in

    /// One that is being taken in.
    private struct Newcomer: Sendable {
        let caller: Caller
        let share: PartyShare
        /// Its own only with a place.
        let id: ConnectionID
    }

    /// Takes a connection in, or says why not and closes it.
    func admit(_ socket: StreamSocket, _ poller: Poller, _ turns: ServingTurns) {
        let caller = Caller(socket.credentials, socket.groups, user: nil)
        let party = dispatcher.gate.party(of: caller)
        let allowed = dispatcher.gate.connectionLimit(caller) ?? limits.perUser
        guard var (newcomer, answer) = askForPlace(caller, of: party, allowed: allowed) else { return }
        if case .full(_, let most?) = answer, let other = newest(of: most) {
            other.abort()
            // A connection that came meanwhile may have taken its place.
            guard let again = askForPlace(caller, of: party, allowed: allowed) else { return }
            (newcomer, answer) = again
        }
        switch answer {
        case .taken:
            names.name(of: caller.uid) { [self, newcomer] in open(socket, newcomer, user: $0, poller, turns) }
        case .refused(let reason), .full(let reason, _):
            refuse(socket, newcomer, reason)
        }
    }

    /// `nil` when all connections are being closed.
    private func askForPlace(
        _ caller: Caller, of party: Party, allowed: Int
    ) -> (Newcomer, ConnectionPlaces.Answer)? {
        let account = dispatcher.gate.conduct.account(of: party)
        return state.withLock { state in
            guard !state.isClosing else { return nil }
            let answer = state.places.take(for: party, uid: caller.uid, allowed: allowed)
            if answer == .taken { state.number += 1 }
            let share = self.share(of: party, account, &state)
            return (Newcomer(caller: caller, share: share, id: ConnectionID(number: state.number)), answer)
        }
    }

    private func share(of party: Party, _ account: Conduct.Account, _ state: inout State) -> PartyShare {
        if let share = state.shares[party] { return share }
        let share = PartyShare(party, account, memory: memory) { [weak self] in
            guard let connection = self?[$0.number] else { return false }
            connection.callAgain()
            return true
        }
        state.shares[party] = share
        return share
    }

    /// The newest connection of a party: one that nothing is in flight on if there is one.
    private func newest(of party: Party) -> Connection? {
        let connections = all.filter { $0.party == party }
        return (connections.filter(\.isQuiet).max { $0.id.number < $1.id.number })
            ?? connections.max { $0.id.number < $1.id.number }
    }

    private func refuse(_ socket: StreamSocket, _ newcomer: Newcomer, _ reason: String) {
        if let unlogged = newcomer.share.countRefusal(at: dispatcher.audit.clock.monotonic()) {
            log.notice(
                "refuses connections",
                metadata: ["caller": "\(newcomer.caller)", "reason": "\(reason)", "notLoggedBefore": "\(unlogged)"])
        }
        let refusal = ProtocolError(
            .rateLimited, reason, hint: "close connections that are not needed, or try again in a moment")
        // Its buffer is empty: there is room.
        _ = socket.write(ReplyLine.failure(id: nil, refusal), from: 0)
    }

    private func open(
        _ socket: StreamSocket, _ newcomer: Newcomer, user: String?, _ poller: Poller, _ turns: ServingTurns
    ) {
        let (id, share, uid) = (newcomer.id, newcomer.share, newcomer.caller.uid)
        var caller = Caller(socket.credentials, socket.groups, user: user)
        caller.party = share.party
        let connection = Connection(
            socket, id: id, caller: caller,
            Connection.Dependencies(
                poller: poller, dispatcher: dispatcher, writes: writes, share: share, resume: turns.add,
                exhausted: { [weak self] in self?.relieve() },
                ended: { [weak self] in self?.remove($0, share, uid: uid) }))
        // Before it can be found, and so can end.
        open.begin()
        feed.connected(id)
        let isTakenIn = state.withLock { state in
            if !state.isClosing { state.open[id.number] = connection }
            return !state.isClosing
        }
        if isTakenIn { connection.begin() } else { remove(id, share, uid: uid) }
    }

    // MARK: - Going

    /// A connection has ended, or was not taken in after all.
    private func remove(_ id: ConnectionID, _ share: PartyShare, uid: UInt32) {
        feed.disconnected(id)
        state.withLock { state in
            state.open[id.number] = nil
            state.places.giveBack(share.party, uid: uid)
        }
        share.forget(id)
        share.callForOperations()
        open.end()
    }

    /// Closes connections until there is memory again: of the party that has most of it, those for which most is held.
    private func relieve() {
        while memory.isExhausted {
            let (open, shares) = state.withLock { (Array($0.open.values), Array($0.shares.values)) }
            guard let most = shares.max(by: { $0.held < $1.held }),
                let connection = open.filter({ $0.party == most.party }).max(by: { $0.held < $1.held }), connection.held > 0
            else { return }
            log.warning(
                "closes a connection for want of memory",
                metadata: ["party": "\(most.party)", "bytes": "\(connection.held)", "ofParty": "\(most.held)"])
            connection.abort()
        }
    }

    /// Closes connections that have been of no use for the time they may. To be called once a second.
    func closeIfIdle() {
        for connection in all {
            connection.closeIfIdle(limits.idleSeconds, isWatching: feed.isWatching(connection.id))
        }
        state.withLock { state in
            state.shares = state.shares.filter { state.places.count(of: $0.key) > 0 || !$0.value.isUnused }
        }
    }

    /// Answers what has been read, closes every connection and admits no more; one that does not take its replies in time is
    /// closed without.
    func close(within time: Duration) async {
        state.withLock { $0.isClosing = true }
        for connection in all { connection.finish() }
        await forAtMost(time) { [open] in await open.drained() }
        for connection in all { connection.abort() }
        await open.drained()
    }
}
