import AgentProtocol
import Glibc
import Platform

/// One connection: cuts what comes in into lines, hands each to the dispatcher, writes the replies.
///
/// A caller that has many requests under way, does not read its replies, or has used up its party's share is not read from until
/// that has passed. What a caller sent before it closed its side is answered. Lines are read by one thread at a time, and
/// written by whatever thread has them.
final class Connection: Sendable {
    /// What a connection has to do with.
    struct Dependencies: Sendable {
        let poller: Poller
        let dispatcher: Dispatcher
        let writes: WriteGathering
        let share: PartyShare
        /// Has the connection served in its turn, although its socket may not be ready.
        let resume: @Sendable (Connection) -> Void
        /// Called when connections have to go for want of memory.
        let exhausted: @Sendable () -> Void
        /// Called once, when the connection has ended.
        let ended: @Sendable (ConnectionID) -> Void
    }

    /// What a thread does for a connection before it is another one's turn.
    private struct Turn {
        var ready: Poller.Interest
        /// Lines that may be dispatched, whatever they are.
        var lines = Connection.linesInATurn
    }

    /// What is to be done next.
    private enum Work {
        case line(LineFramer.Frame, weight: Int)
        /// One that had to wait.
        case request(Dispatcher.ReceivedRequest, weight: Int)
    }

    /// What is to be done when the state is no longer locked.
    private struct Effects {
        var taken: [@Sendable () -> Void] = []
        /// Bytes that are held more than before.
        var held = 0
        var resumes = false
        var hasEnded = false
    }

    let id: ConnectionID
    private let caller: Caller
    private let dependencies: Dependencies
    private let state: Locked<State>

    /// Lines that are dispatched before it is another connection's turn, however short they are.
    private static let linesInATurn = 8

    init(_ socket: StreamSocket, id: ConnectionID, caller: Caller, _ dependencies: Dependencies) {
        self.id = id
        self.caller = caller
        self.dependencies = dependencies
        state = Locked(State(socket: socket))
    }

    /// Whose turn it is when this connection is served.
    var party: Party { dependencies.share.party }

    /// Bytes that are held for it, as far as they have been counted.
    var held: Int { state.withLock { $0.counted } }

    /// Whether nothing is under way and nothing waits to be taken.
    var isQuiet: Bool { state.withLock { $0.underWay == 0 && $0.outgoing.count == 0 } }

    /// Begins to read.
    func begin() {
        change { _, _ in }
    }

    /// Does what the socket is ready for, for one turn.
    func serve(_ ready: Poller.Interest) {
        var turn = Turn(ready: ready)
        while let work = next(&turn) {
            switch work {
            case .request(let request, let weight): begin(request, weight)
            case .line(let line, let weight):
                switch dependencies.dispatcher.read(line, caller) {
                case .answered(let reply): finishRequest(weight, reply)
                case .received(let request): begin(request, weight)
                }
            }
        }
    }

    private func begin(_ request: Dispatcher.ReceivedRequest, _ weight: Int) {
        let context = OperationContext(caller: caller, connection: id, notifications: self)
        guard dependencies.dispatcher.isOperation(request) else {
            return dependencies.dispatcher.carryOut(request, context) { [self] in finishRequest(weight, $0) }
        }
        guard beginOperation(request, weight) else { return }
        dependencies.dispatcher.carryOut(request, context) { [self] reply in
            finishRequest(weight, reply, isOperation: true)
            dependencies.share.endOperation()
        }
    }

    /// Whether there is room for an operation; if not, it stays in hand until there is.
    private func beginOperation(_ request: Dispatcher.ReceivedRequest, _ weight: Int) -> Bool {
        let mayAsk = state.withLock { state in
            guard state.take(request, weight), state.hasRoomForOperation else { return false }
            // Before anybody can call.
            state.isWaiting = true
            return true
        }
        guard mayAsk, dependencies.share.beginOperation(id) else { return false }
        let isStillThere = state.withLock { state in
            guard state.inHand != nil else { return false }
            state.inHand = nil
            state.isWaiting = false
            state.operations += 1
            return true
        }
        if !isStillThere { dependencies.share.endOperation() }
        return isStillThere
    }

    /// Reads and writes what is ready, and returns what is to be done next; without it, sees what is to be waited for.
    private func next(_ turn: inout Turn) -> Work? {
        var effects = Effects()
        let work = state.withLock { state -> Work? in
            // What an event said may have passed.
            let possible = turn.ready.intersection(state.registration.interest)
            if !turn.ready.isEmpty { state.registration.disarm() }
            turn.ready = []
            state.isInLine = false
            // It sees what else there is before it goes.
            if let server = state.server, server != pthread_self() { return nil }
            // What it sent is more than its party may have done, and nobody would read the replies.
            if possible.contains(.end), state.isWaiting { end(&state, &effects) }
            if possible.contains(.write) { write(&state, &effects) }
            if possible.contains(.read), goesOn(&state) { state.read() }
            if turn.lines > 0, let work = nextWork(&state) {
                turn.lines -= 1
                state.server = pthread_self()
                return work
            }
            state.server = nil
            writeNew(&state, &effects)
            settle(&state, &effects)
            return nil
        }
        finish(effects)
        return work
    }

    /// Sends the reply to one request.
    private func finishRequest(_ weight: Int, _ line: [UInt8], isOperation: Bool = false) {
        add { state in
            state.outgoing.append(line)
        } always: { state in
            state.underWay -= 1
            state.underWayWeight -= weight
            if isOperation { state.operations -= 1 }
        }
    }

    /// What is added is written when this returns, if there is room for it and nobody gathers. What comes while a thread
    /// dispatches, from itself, is written together.
    private func add(
        _ change: (inout sending State) -> Void, always: (inout sending State) -> Void = { _ in }
    ) {
        var held = 0
        let isToBeWritten = state.withLock { state in
            always(&state)
            guard state.socket != nil else {
                held = state.count()
                return false
            }
            change(&state)
            return state.server != pthread_self()
        }
        dependencies.share.hold(held)
        if isToBeWritten { dependencies.writes.write(self) }
    }

    /// Reads no more, answers what has been read and closes.
    func finish() {
        change { state, _ in state.isFinishing = true }
    }

    /// Closes at once.
    func abort() {
        change { state, effects in end(&state, &effects) }
    }

    /// There may be room for what it waits with.
    func callAgain() {
        change { state, _ in state.isWaiting = false }
    }

    /// Closes the connection when it has been of no use for so many looks in a row: one that sends a byte now and then is not.
    func closeIfIdle(_ mostLooks: Int, isWatching: Bool) {
        change { state, effects in
            let isUsed = state.hasSentLine || state.underWay > 0 || isWatching
            state.hasSentLine = false
            state.idleLooks = isUsed ? 0 : state.idleLooks + 1
            if state.idleLooks >= mostLooks { end(&state, &effects) }
        }
    }

    private func change(_ change: (inout sending State, inout Effects) -> Void) {
        var effects = Effects()
        state.withLock { state in
            change(&state, &effects)
            settle(&state, &effects)
        }
        finish(effects)
    }

    private func finish(_ effects: Effects) {
        for taken in effects.taken { taken() }
        // Before others are called, who might look for connections to close.
        if effects.hasEnded { dependencies.ended(id) }
        dependencies.share.hold(effects.held)
        if effects.resumes { dependencies.resume(self) }
        if effects.held > 0, dependencies.share.isMemoryExhausted { dependencies.exhausted() }
    }

    // MARK: - With the state locked

    /// Whether more may be read, and be dispatched.
    private func goesOn(_ state: inout State) -> Bool {
        guard state.hasRoom else { return false }
        let isHeldAnyway = state.inHand != nil || state.holdsNothingElse
        guard state.socket == nil || dependencies.share.admits(id, isHeldAnyway: isHeldAnyway) else {
            state.isWaiting = true
            return false
        }
        return true
    }

    private func nextWork(_ state: inout State) -> Work? {
        guard state.mayHaveWork, goesOn(&state) else { return nil }
        if let inHand = state.inHand {
            state.inHand = nil
            return .request(inHand.request, weight: inHand.weight)
        }
        return state.nextLine().map { .line($0, weight: $1) }
    }

    /// Writes what has been added; a socket that is full says when it is not.
    private func writeNew(_ state: inout State, _ effects: inout Effects) {
        if state.outgoing.count > 0, !state.outgoing.isHeldUp { write(&state, &effects) }
    }

    private func write(_ state: inout State, _ effects: inout Effects) {
        guard let socket = state.socket else { return }
        if !state.outgoing.write(to: socket, taken: &effects.taken) {
            // A broken connection has nobody to tell.
            end(&state, &effects)
        }
    }

    /// Waits for what is possible next, or closes.
    private func settle(_ state: inout State, _ effects: inout Effects) {
        guard let socket = state.socket, state.server == nil else {
            // Whoever serves it counts when it is done.
            if state.server == nil { effects.held += state.count() }
            return
        }
        if state.isFinishing, state.underWay == 0, !state.mayHaveLine, state.outgoing.count == 0 {
            return end(&state, &effects)
        }
        // Whether it has to wait any longer is asked below.
        if state.isWaiting, state.inHand == nil, state.holdsNothingElse { state.isWaiting = false }
        var wanted = Poller.Interest()
        if state.outgoing.isHeldUp { wanted.insert(.write) }
        if state.mayHaveWork {
            if !state.isInLine, goesOn(&state) {
                state.isInLine = true
                effects.resumes = true
            }
        } else if !state.isFinishing, goesOn(&state) {
            wanted.insert(.read)
        }
        if state.isWaiting { wanted.insert(.end) }
        effects.held += state.count()
        guard dependencies.poller.wait(for: wanted, on: socket, id.number, &state.registration) else {
            return end(&state, &effects)
        }
    }

    private func end(_ state: inout State, _ effects: inout Effects) {
        guard let socket = state.socket else { return }
        _ = dependencies.poller.wait(for: [], on: socket, id.number, &state.registration)
        state.end()
        effects.held += state.count()
        effects.hasEnded = true
    }
}

extension Connection: Writable {
    func write() {
        change { state, effects in
            writeNew(&state, &effects)
        }
    }
}

extension Connection: NotificationSink {
    func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void) {
        let line = ReplyLine.notification(changes)
        add { $0.outgoing.append(line, taken: written) }
    }
}
