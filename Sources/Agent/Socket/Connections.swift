import AgentProtocol
import Logging
import Platform

/// The open connections, and who may have another.
final class Connections: Sendable {
    private struct State {
        var open: [UInt64: Connection] = [:]
        /// Connections that are open or are being taken in.
        var count = 0
        var shares: [Party: PartyShare] = [:]
        /// Connections of strangers, by user.
        var strangers: [UInt32: Int] = [:]
        /// Connections there have been; the number of the last one.
        var number: UInt64 = 0
        var isClosing = false
        var whenEmpty: CheckedContinuation<Void, Never>?
    }

    private let limits: ConnectionLimits
    private let dispatcher: Dispatcher
    private let writes: WriteGathering
    private let feed: ChangeFeed
    private let names: UserNames
    private let log: Logger
    private let memory = SharedMemory()
    private let state = Locked(State())

    /// Connections of all strangers together.
    private static let mostOfStrangers = 16

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
    }

    /// The connection with this number, which is its `ConnectionID`'s.
    subscript(number: UInt64) -> Connection? {
        state.withLock { $0.open[number] }
    }

    /// Connections that are open or are being taken in.
    var count: Int { state.withLock { $0.count } }

    /// Bytes that are held for all connections.
    var heldBytes: Int { memory.bytes }

    // MARK: - Coming in

    /// What has been found out about somebody who wants a connection.
    private enum Answer {
        case place(PartyShare)
        /// There is one if this connection goes.
        case placeOf(Connection)
        case refusal(PartyShare, ProtocolError)
        case none
    }

    /// Takes a connection in, or says why not and closes it.
    func admit(_ socket: StreamSocket, _ poller: Poller, _ turns: ServingTurns) {
        let caller = Caller(socket.credentials, socket.groups, user: nil)
        let party = dispatcher.gate.party(of: caller)
        let allowed = dispatcher.gate.connectionLimit(caller) ?? limits.perUser
        func ask(_ mayDisplace: Bool) -> Answer {
            state.withLock { state in
                guard !state.isClosing else { return .none }
                let share = self.share(of: party, &state)
                return self.answer(caller, share, allowed: allowed, mayDisplace: mayDisplace, &state)
            }
        }
        var answer = ask(true)
        if case .placeOf(let other) = answer {
            other.abort()
            // Its place may have been taken by others meanwhile.
            answer = ask(false)
        }
        switch answer {
        case .place(let share):
            names.name(of: caller.uid) { [self] name in
                open(socket, Caller(socket.credentials, socket.groups, user: name), share, poller, turns)
            }
        case .refusal(let share, let refusal):
            if let unlogged = share.countRefusal(at: dispatcher.audit.clock.monotonic()) {
                log.notice(
                    "refuses connections",
                    metadata: ["caller": "\(caller)", "reason": "\(refusal.message)", "notLoggedBefore": "\(unlogged)"])
            }
            // Its buffer is empty: there is room.
            _ = socket.write(ReplyLine.failure(id: nil, refusal), from: 0)
        case .placeOf, .none: break
        }
    }

    private func share(of party: Party, _ state: inout State) -> PartyShare {
        if let share = state.shares[party] { return share }
        let share = PartyShare(party, dispatcher.gate.conduct.account(of: party), memory: memory) { [weak self] in
            guard let connection = self?[$0.number] else { return false }
            connection.callAgain()
            return true
        }
        state.shares[party] = share
        return share
    }

    /// Gives a place, which is counted at once, or says why there is none.
    private func answer(
        _ caller: Caller, _ share: PartyShare, allowed: Int, mayDisplace: Bool, _ state: inout State
    ) -> Answer {
        func refusal(_ message: String) -> Answer {
            .refusal(
                share,
                ProtocolError(.rateLimited, message, hint: "close connections that are not needed, or try again in a moment"))
        }
        let isStranger = share.party == .strangers
        let own = isStranger ? state.strangers[caller.uid, default: 0] : share.connections
        if own >= allowed { return refusal("uid \(caller.uid) has \(allowed) connections already") }
        if isStranger, share.connections >= Self.mostOfStrangers {
            return refusal("users without an access rule have \(Self.mostOfStrangers) connections already")
        }
        if state.count >= limits.total {
            if mayDisplace, let other = displaced(by: own, state) { return .placeOf(other) }
            return refusal("the agent has \(limits.total) connections already")
        }
        state.count += 1
        share.beginConnection()
        if isStranger { state.strangers[caller.uid, default: 0] += 1 }
        return .place(share)
    }

    /// The newest connection of the party with the most, one that nothing is under way on if there is one; `nil` when no party
    /// has so many more that it would be fair.
    private func displaced(by own: Int, _ state: State) -> Connection? {
        guard let most = state.shares.values.max(by: { $0.connections < $1.connections }), most.connections > own + 1
        else { return nil }
        let others = state.open.values.filter { $0.party == most.party }
        return (others.filter(\.isQuiet).max { $0.id.number < $1.id.number }) ?? others.max { $0.id.number < $1.id.number }
    }

    private func open(
        _ socket: StreamSocket, _ caller: Caller, _ share: PartyShare, _ poller: Poller, _ turns: ServingTurns
    ) {
        var caller = caller
        caller.party = share.party
        let connection = state.withLock { [caller] state -> Connection? in
            guard !state.isClosing else {
                leave(nil, share, uid: caller.uid, &state)
                return nil
            }
            state.number += 1
            let connection = Connection(
                socket, id: ConnectionID(number: state.number), caller: caller,
                Connection.Dependencies(
                    poller: poller, dispatcher: dispatcher, writes: writes, share: share, resume: turns.add,
                    exhausted: { [weak self] in self?.relieve() },
                    ended: { [weak self] in self?.remove($0, share, uid: caller.uid) }))
            state.open[state.number] = connection
            feed.connected(connection.id)
            return connection
        }
        connection?.begin()
    }

    // MARK: - Going

    private func remove(_ id: ConnectionID, _ share: PartyShare, uid: UInt32) {
        feed.disconnected(id)
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.open.removeValue(forKey: id.number) != nil { leave(id, share, uid: uid, &state) }
            guard state.open.isEmpty else { return nil }
            defer { state.whenEmpty = nil }
            return state.whenEmpty
        }
        share.callForOperations()
        waiting?.resume()
    }

    private func leave(_ id: ConnectionID?, _ share: PartyShare, uid: UInt32, _ state: inout State) {
        state.count -= 1
        share.endConnection(id)
        guard share.party == .strangers else { return }
        let left = state.strangers[uid, default: 1] - 1
        state.strangers[uid] = left > 0 ? left : nil
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
            state.shares = state.shares.filter { !$0.value.isUnused }
        }
    }

    private var all: [Connection] { state.withLock { Array($0.open.values) } }

    /// Answers what has been read, closes every connection and admits no more; one that does not take its replies in time is
    /// closed without.
    func close(within time: Duration) async {
        state.withLock { $0.isClosing = true }
        for connection in all { connection.finish() }
        let patience = Task {
            try await Task.sleep(for: time)
            for connection in all { connection.abort() }
        }
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if !state.open.isEmpty { state.whenEmpty = continuation }
                return state.open.isEmpty
            }
            if isEmpty { continuation.resume() }
        }
        patience.cancel()
    }
}
