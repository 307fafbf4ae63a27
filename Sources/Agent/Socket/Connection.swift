import AgentProtocol
import Glibc
import Platform

/// One connection: cuts what comes in into lines, hands each to the dispatcher, writes the replies.
///
/// A caller that has many requests under way, or does not read its replies, is not read from until that has passed. What a
/// caller sent before it closed its side is answered. Lines are read by one thread at a time, and written by whatever thread
/// has them.
final class Connection: Sendable {
    /// What a connection has to do with.
    struct Surroundings: Sendable {
        let poller: Poller
        let dispatcher: Dispatcher
        let writes: WriteGathering
        /// Has the connection served although its socket may not be ready.
        let resume: @Sendable (ConnectionID) -> Void
        /// Called once, when the connection has ended.
        let ended: @Sendable (ConnectionID) -> Void
    }

    fileprivate struct State {
        /// `nil` once the connection has ended.
        var socket: StreamSocket?
        var standing = Poller.Standing()
        var framer = LineFramer()
        /// Whether a whole line may have been read that has not been dispatched.
        var mayHaveLine = false
        /// Whether such lines wait, and nothing is read, until less is under way.
        var isPaused = false
        /// The thread that is dispatching lines. It will write what it replies to them, and see what is to be waited for.
        var server: pthread_t?
        var outgoing = OutgoingLines()
        var underWay = 0
        /// Whether nothing more is read: the caller closed its side, or the agent is shutting down.
        var isFinishing = false
        /// Whether a whole line has come since idleness was last looked at.
        var hasSentLine = false
        /// How often in a row it was found idle.
        var idleLooks = 0
    }

    /// What is to be done when the state is no longer locked.
    private struct Aftermath {
        var taken: [@Sendable () -> Void] = []
        var resumes = false
        var hasEnded = false
    }

    let id: ConnectionID
    private let caller: Caller
    private let surroundings: Surroundings
    private let state: Locked<State>

    init(_ socket: StreamSocket, id: ConnectionID, caller: Caller, _ surroundings: Surroundings) {
        self.id = id
        self.caller = caller
        self.surroundings = surroundings
        state = Locked(State(socket: socket))
    }

    /// Begins to read.
    func begin() {
        change { _, _ in }
    }

    /// Does what the socket is ready for.
    func serve(_ ready: Poller.Interest) {
        var ready = ready
        while let frame = next(&ready) {
            surroundings.dispatcher.dispatch(
                frame, OperationContext(caller: caller, connection: id, notifications: self), reply: reply)
        }
    }

    /// Reads and writes what is ready, and returns the next line there is; without one, sees what is to be waited for.
    private func next(_ ready: inout Poller.Interest) -> LineFramer.Frame? {
        var aftermath = Aftermath()
        let frame = state.withLock { state -> LineFramer.Frame? in
            // What an event said may have passed.
            let possible = ready.intersection(state.standing.interest)
            if !ready.isEmpty { state.standing.rest() }
            ready = []
            // It sees what else there is before it goes.
            if let server = state.server, server != pthread_self() { return nil }
            if possible.contains(.write) { write(&state, &aftermath) }
            if possible.contains(.read) { state.read() }
            if let frame = state.nextFrame() {
                state.server = pthread_self()
                return frame
            }
            state.server = nil
            writeNew(&state, &aftermath)
            settle(&state, &aftermath)
            return nil
        }
        finish(aftermath)
        return frame
    }

    /// Sends the reply to one request.
    private func reply(_ line: [UInt8]) {
        add { state in
            state.outgoing.append(line)
            state.underWay -= 1
        }
    }

    /// What is added is written when this returns, if there is room for it and nobody gathers. What comes while a thread
    /// dispatches, from itself, is written together.
    private func add(_ change: (inout sending State) -> Void) {
        let isToBeWritten = state.withLock { state in
            guard state.socket != nil else { return false }
            change(&state)
            return state.server != pthread_self()
        }
        if isToBeWritten { surroundings.writes.write(self) }
    }

    /// Reads no more, answers what has been read and closes.
    func finish() {
        change { state, _ in state.isFinishing = true }
    }

    /// Closes at once.
    func abort() {
        change { state, aftermath in end(&state, &aftermath) }
    }

    /// Closes the connection when it has been of no use for so many looks in a row: one that sends a byte now and then is not.
    func lookForIdleness(_ mostLooks: Int, isWatching: Bool) {
        change { state, aftermath in
            let isUsed = state.hasSentLine || state.underWay > 0 || isWatching
            state.hasSentLine = false
            state.idleLooks = isUsed ? 0 : state.idleLooks + 1
            if state.idleLooks >= mostLooks { end(&state, &aftermath) }
        }
    }

    private func change(_ change: (inout sending State, inout Aftermath) -> Void) {
        var aftermath = Aftermath()
        state.withLock { state in
            change(&state, &aftermath)
            settle(&state, &aftermath)
        }
        finish(aftermath)
    }

    private func finish(_ aftermath: Aftermath) {
        for taken in aftermath.taken { taken() }
        if aftermath.resumes { surroundings.resume(id) }
        if aftermath.hasEnded { surroundings.ended(id) }
    }

    // MARK: - With the state locked

    /// Writes what has been added; a socket that is full says when it is not.
    private func writeNew(_ state: inout State, _ aftermath: inout Aftermath) {
        if state.outgoing.count > 0, !state.outgoing.isHeldUp { write(&state, &aftermath) }
    }

    private func write(_ state: inout State, _ aftermath: inout Aftermath) {
        guard let socket = state.socket else { return }
        if !state.outgoing.write(to: socket, taken: &aftermath.taken) {
            // A broken connection has nobody to tell.
            end(&state, &aftermath)
        }
    }

    /// Waits for what is possible next, or closes.
    private func settle(_ state: inout State, _ aftermath: inout Aftermath) {
        guard let socket = state.socket, state.server == nil else { return }
        if state.isFinishing, state.underWay == 0, !state.mayHaveLine, state.outgoing.count == 0 {
            return end(&state, &aftermath)
        }
        let wasPaused = state.isPaused
        state.look()
        var wanted = Poller.Interest()
        if state.outgoing.isHeldUp { wanted.insert(.write) }
        if !state.isPaused {
            // Lines that have been read come first.
            if !state.mayHaveLine, !state.isFinishing { wanted.insert(.read) }
            aftermath.resumes = wasPaused && state.mayHaveLine
        }
        guard surroundings.poller.wait(for: wanted, on: socket, id.number, &state.standing) else {
            return end(&state, &aftermath)
        }
    }

    private func end(_ state: inout State, _ aftermath: inout Aftermath) {
        guard let socket = state.socket else { return }
        _ = surroundings.poller.wait(for: [], on: socket, id.number, &state.standing)
        state = State(server: state.server)
        aftermath.hasEnded = true
    }
}

extension Connection: Writable {
    func write() {
        change { state, aftermath in
            writeNew(&state, &aftermath)
        }
    }
}

extension Connection: NotificationSink {
    func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void) {
        let line = ReplyLine.notification(changes)
        add { $0.outgoing.append(line, taken: written) }
    }
}

extension Connection.State {
    /// Requests a connection may have under way before it is read from no further, until there are half as many.
    private static let pipelineLimit = 256
    /// The same for bytes of replies that have not been taken.
    private static let outgoingLimit = 65_536
    /// Bytes read from a connection before it is the next one's turn: some requests of the usual size, and what malloc has
    /// at hand.
    private static let turn = 960

    /// Sees whether there is too much under way.
    fileprivate mutating func look() {
        let part = isPaused ? 2 : 1
        isPaused = underWay >= Self.pipelineLimit / part || outgoing.count >= Self.outgoingLimit / part
    }

    fileprivate mutating func read() {
        switch socket?.read(atMost: Self.turn) {
        case .done(let bytes):
            framer.feed(bytes)
            mayHaveLine = true
        case .ended: isFinishing = true
        case .notNow, nil: break
        }
    }

    /// The next line that may be dispatched.
    fileprivate mutating func nextFrame() -> LineFramer.Frame? {
        look()
        guard mayHaveLine, !isPaused else { return nil }
        guard let frame = framer.next() else {
            mayHaveLine = false
            return nil
        }
        underWay += 1
        hasSentLine = true
        return frame
    }
}
