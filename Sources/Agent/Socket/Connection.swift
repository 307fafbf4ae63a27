import AgentProtocol
import Platform

/// One connection: cuts what comes in into lines, hands each to the dispatcher, writes the replies. When it does what, says its
/// `State`.
///
/// A caller that has many requests in flight, does not read its replies, or has used up its party's share is not read from until
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

    /// The state, and what it is about.
    private struct Guarded {
        var state = State()
        /// `nil` once the connection has been closed.
        var socket: StreamSocket?
        var registration = Poller.Registration()
        /// The request in hand, which waits for room.
        var inHand: Dispatcher.ReceivedRequest?
    }

    /// What a thread is to do next for the connection it serves.
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
        var rest = State.Rest()
        var hasEnded = false
    }

    let id: ConnectionID
    private let caller: Caller
    private let dependencies: Dependencies
    /// Nothing else is locked with it: whatever calls others is done afterwards. What is done with the socket meanwhile, read(2),
    /// send(2) and epoll_ctl(2), never waits, and no two threads can change the order of what one of them reads or sends.
    private let guarded: Locked<Guarded>

    init(_ socket: StreamSocket, id: ConnectionID, caller: Caller, _ dependencies: Dependencies) {
        self.id = id
        self.caller = caller
        self.dependencies = dependencies
        guarded = Locked(Guarded(socket: socket))
    }

    /// Whose turn it is when this connection is served.
    var party: Party { dependencies.share.party }

    /// Bytes that are held for it, as far as they have been counted.
    var held: Int { guarded.withLock { $0.state.counted } }

    /// Whether nothing is in flight and nothing waits to be taken.
    var isQuiet: Bool { guarded.withLock { $0.state.isQuiet } }

    /// Begins to read.
    func begin() {
        change { _ in }
    }

    /// Reads no more, answers what has been read and closes.
    func finish() {
        change { $0.finish() }
    }

    /// Closes at once.
    func abort() {
        change { $0.abort() }
    }

    /// The share calls: there may be room for what the connection waits with.
    func callAgain() {
        change { $0.callAgain() }
    }

    /// Closes the connection when it has been of no use for so many looks in a row: one that sends a byte now and then is not.
    func closeIfIdle(_ mostLooks: Int, isWatching: Bool) {
        change { $0.closeIfIdle(mostLooks, isWatching: isWatching) }
    }

    // MARK: - Serving

    /// Does what the socket is ready for, for one turn.
    func serve(_ ready: Poller.Interest) {
        var visit = State.Visit.serving(by: .current)
        var next = perform(&visit) { guarded, visit in
            // What an event said may have passed.
            guarded.state.beginTurn(&visit, ready: ready.intersection(guarded.registration.interest))
            if !ready.isEmpty { guarded.registration.disarm() }
        }
        while let work = next {
            switch work {
            case .request(let request, let weight): begin(request, weight)
            case .line(let line, let weight):
                switch dependencies.dispatcher.read(line, caller) {
                case .answered(let reply): finishRequest(weight, reply)
                case .received(let request): begin(request, weight)
                }
            }
            next = perform(&visit)
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
        let mayAsk = guarded.withLock { guarded in
            let mayAsk = guarded.state.takeInHand(weight)
            if guarded.state.isOpen { guarded.inHand = request }
            return mayAsk
        }
        guard mayAsk, dependencies.share.beginOperation(id) else { return false }
        let isStillThere = guarded.withLock { guarded in
            guarded.inHand = nil
            return guarded.state.beginOperation()
        }
        if !isStillThere { dependencies.share.endOperation() }
        return isStillThere
    }

    // MARK: - Lines that go out

    /// Sends the reply to one request.
    private func finishRequest(_ weight: Int, _ line: [UInt8], isOperation: Bool = false) {
        add(line, after: { $0.finishRequest(weight, isOperation: isOperation) })
    }

    /// What is added is written when this returns, if there is room for it and the calling thread gathers nothing.
    private func add(
        _ line: [UInt8], taken: (@Sendable () -> Void)? = nil, after event: (inout State) -> Void = { _ in }
    ) {
        var held = 0
        let isToBeWritten = guarded.withLock { guarded in
            event(&guarded.state)
            // Nothing else would count what a connection that has ended holds no more.
            if !guarded.state.isOpen { held = guarded.state.count() }
            return guarded.state.add(line, taken: taken, by: .current)
        }
        dependencies.share.hold(held)
        if isToBeWritten { dependencies.writes.write(self) }
    }

    // MARK: - Doing what the state says

    private func change(_ change: (inout State) -> Void) {
        var visit = State.Visit.passing
        _ = perform(&visit) { guarded, _ in change(&guarded.state) }
    }

    /// Notes what has happened, does what the state then says, and returns what the thread that serves is to do next.
    private func perform(
        _ visit: inout State.Visit, after event: (inout Guarded, inout State.Visit) -> Void = { _, _ in }
    ) -> Work? {
        var effects = Effects()
        let work = guarded.withLock { guarded in
            event(&guarded, &visit)
            let work = perform(&visit, &guarded, &effects)
            effects.held = guarded.state.count()
            return work
        }
        finish(effects)
        return work
    }

    /// Does one thing after the other, with the state locked, until there is nothing, or something that is done without.
    private func perform(_ visit: inout State.Visit, _ guarded: inout Guarded, _ effects: inout Effects) -> Work? {
        let room = dependencies.share.room
        while true {
            switch guarded.state.next(&visit, room) {
            case .read(let most):
                guarded.state.hasRead(guarded.socket?.read(atMost: most) ?? .ended)
            case .send:
                let outcome = guarded.socket?.write(guarded.state.outgoing.bytes, from: guarded.state.outgoing.start)
                guarded.state.hasSent(outcome ?? .ended, taken: &effects.taken)
            case .dispatch(let line, let weight):
                return .line(line, weight: weight)
            case .carryOut(let weight):
                guard let request = guarded.inHand.take() else { continue }
                return .request(request, weight: weight)
            case .rest(let rest):
                guard wait(for: rest.interest, &guarded) else {
                    guarded.state.abort()
                    continue
                }
                effects.rest = rest
                return nil
            case .close:
                _ = wait(for: [], &guarded)
                guarded.socket = nil
                guarded.inHand = nil
                effects.hasEnded = true
                return nil
            case .leave:
                return nil
            }
        }
    }

    private func wait(for interest: Poller.Interest, _ guarded: inout Guarded) -> Bool {
        guard let socket = guarded.socket else { return false }
        return dependencies.poller.wait(for: interest, on: socket, id.number, &guarded.registration)
    }

    private func finish(_ effects: Effects) {
        for taken in effects.taken { taken() }
        // Before others are called, who might look for connections to close.
        if effects.hasEnded { dependencies.ended(id) }
        dependencies.share.hold(effects.held)
        if effects.rest.takesTurn { dependencies.resume(self) }
        if effects.rest.asksForRoom, dependencies.share.admits(id, isHeldAnyway: effects.rest.isHeldAnyway) { callAgain() }
        if effects.held > 0, dependencies.share.isMemoryExhausted { dependencies.exhausted() }
    }
}

extension Connection: Writable {
    func write() {
        var visit = State.Visit.sending
        _ = perform(&visit)
    }
}

extension Connection: NotificationSink {
    func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void) {
        add(ReplyLine.notification(changes), taken: written)
    }
}
