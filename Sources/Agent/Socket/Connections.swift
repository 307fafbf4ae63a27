import AgentProtocol
import Logging
import Platform

/// The open connections, and who may have another.
final class Connections: Sendable {
    private struct State {
        var open: [UInt64: Connection] = [:]
        /// Connections by user.
        var users: [UInt32: Int] = [:]
        /// Users of whose refusal the log has been told. One that keeps trying must not fill it.
        var refusedUsers: Set<UInt32> = []
        var count: UInt64 = 0
        /// Connections with lines that have been read and may be dispatched again.
        var resumed: [ConnectionID] = []
        var isClosing = false
        var whenEmpty: CheckedContinuation<Void, Never>?
    }

    private let limits: ConnectionLimits
    private let dispatcher: Dispatcher
    private let writes: WriteGathering
    private let feed: ChangeFeed
    private let log: Logger
    private let state = Locked(State())

    init(_ limits: ConnectionLimits, dispatcher: Dispatcher, writes: WriteGathering, feed: ChangeFeed, log: Logger) {
        self.limits = limits
        self.dispatcher = dispatcher
        self.writes = writes
        self.feed = feed
        self.log = log
    }

    /// The connection with this number, which is its `ConnectionID`'s.
    subscript(number: UInt64) -> Connection? {
        state.withLock { $0.open[number] }
    }

    /// Takes a connection in, or says why not and closes it.
    func admit(_ socket: StreamSocket, _ caller: Caller, _ poller: Poller) {
        let allowed = dispatcher.gate.connectionLimit(caller) ?? limits.perUser
        let (connection, refusal, isNews) = state.withLock { state -> (Connection?, ProtocolError?, Bool) in
            guard !state.isClosing else { return (nil, nil, false) }
            if let refusal = self.refusal(
                of: caller, own: state.users[caller.uid, default: 0], of: allowed, all: state.open.count)
            {
                return (nil, refusal, state.refusedUsers.insert(caller.uid).inserted)
            }
            state.count += 1
            let connection = Connection(
                socket, id: ConnectionID(number: state.count), caller: caller,
                Connection.Surroundings(
                    poller: poller, dispatcher: dispatcher, writes: writes,
                    resume: { [weak self] in self?.resume($0, poller) },
                    ended: { [weak self] in self?.remove($0, uid: caller.uid) }))
            state.open[state.count] = connection
            state.users[caller.uid, default: 0] += 1
            feed.connected(connection.id)
            return (connection, nil, false)
        }
        connection?.begin()
        guard let refusal else { return }
        if isNews { log.notice("refuses connections", metadata: ["caller": "\(caller)", "reason": "\(refusal.message)"]) }
        // Its buffer is empty: there is room.
        _ = socket.write(ReplyLine.failure(id: nil, refusal), from: 0)
    }

    /// Why this connection is one too many; `nil` when it is not.
    private func refusal(of caller: Caller, own: Int, of allowed: Int, all: Int) -> ProtocolError? {
        let hint = "close connections that are not needed, or try again in a moment"
        if own >= allowed {
            return ProtocolError(.rateLimited, "uid \(caller.uid) has \(allowed) connections already", hint: hint)
        }
        if all >= limits.total {
            return ProtocolError(.rateLimited, "the agent has \(limits.total) connections already", hint: hint)
        }
        return nil
    }

    private func resume(_ id: ConnectionID, _ poller: Poller) {
        state.withLock { $0.resumed.append(id) }
        poller.wake()
    }

    /// Dispatches lines that had to wait. On a thread that serves the sockets.
    func serveResumed() {
        let resumed = state.withLock { state -> [Connection] in
            guard !state.resumed.isEmpty else { return [] }
            defer { state.resumed = [] }
            return state.resumed.compactMap { state.open[$0.number] }
        }
        for connection in resumed { connection.serve([]) }
    }

    private func remove(_ id: ConnectionID, uid: UInt32) {
        feed.disconnected(id)
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.open.removeValue(forKey: id.number) != nil {
                let left = state.users[uid, default: 1] - 1
                state.users[uid] = left > 0 ? left : nil
                if left <= 0 { state.refusedUsers.remove(uid) }
            }
            guard state.open.isEmpty else { return nil }
            defer { state.whenEmpty = nil }
            return state.whenEmpty
        }
        waiting?.resume()
    }

    /// Closes connections that have been of no use for the time they may. To be called once a second.
    func lookForIdleness() {
        for connection in all {
            connection.lookForIdleness(limits.idleSeconds, isWatching: feed.isWatching(connection.id))
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
