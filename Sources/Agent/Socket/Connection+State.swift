import AgentProtocol
import Platform

extension Connection {
    /// The rules by which one connection is read, answered and closed: a value without socket, poller or lock.
    ///
    /// What happens goes in; after each event `next(_:)` says what is to be done, one action after the other, until it says
    /// that there is nothing more for now. One thread at a time dispatches lines; replies come from any thread.
    struct State: Sendable {
        /// Whether the connection has not been closed.
        private(set) var isOpen = true
        /// Whether it has ended, and the one who performs the actions has not been told to close the socket.
        private var mustClose = false
        private var framer = LineFramer()
        /// Whether a whole line may have been read that has not been dispatched.
        private var mayHaveLine = false
        /// What the request in hand is taken for: one that has been dispatched, and is not carried out before there is room.
        private var inHand: Int?
        /// Whether nothing is read or dispatched until the party's share calls.
        private var isWaiting = false
        /// Whether it will be served without the socket saying anything.
        private var isInLine = false
        /// Whether nothing is read or dispatched until half of what is in flight has been answered and taken.
        private var isHeldBack = false
        /// The worker that dispatches lines. It writes what it replies to them, and sees what is to be waited for.
        private var server: Worker?
        private(set) var outgoing = OutgoingLines()
        /// Requests that have not been answered, the one in hand included.
        private var inFlight = 0
        /// Bytes that they are taken for.
        private var inFlightWeight = 0
        /// Those of them that are other than `sign` and are carried out.
        private var operations = 0
        /// Whether nothing more is read: the caller closed its side, or the agent is shutting down.
        private var isFinishing = false
        /// Whether a whole line has come since idleness was last looked at.
        private var hasSentLine = false
        /// How often in a row it was found idle.
        private var idleLooks = 0
        /// Bytes that are held for it, when that was last counted.
        private(set) var counted = 0

        /// Lines that are dispatched before it is another connection's turn, however short they are.
        static let linesInATurn = 8
        /// Requests a connection may have in flight before it is read from no further, until there are half as many.
        static let pipelineLimit = 256
        /// The same for bytes of replies that have not been taken.
        static let outgoingLimit = 65_536
        /// Requests other than `sign` that are carried out at a time.
        static let operationLimit = 4
        /// Bytes read from a connection before it is the next one's turn: some requests of the usual size, and what malloc has
        /// at hand.
        static let bytesInATurn = 960
        /// Bytes that a request is taken for beside its line: what is kept for it, and its usual reply.
        static let requestWeight = 2_048

        init() {}

        // MARK: - What is to be done

        /// What a connection wants done. Where the caller has to say what came of it, the action names the event.
        enum Action: Equatable, Sendable {
            /// Read from the socket: `hasRead(_:)`.
            case read(atMost: Int)
            /// Give the socket what is in `outgoing`: `hasSent(_:taken:)`.
            case send
            /// Dispatch a line, with the state no longer locked, and come back: `finishRequest(…)` or `takeInHand(_:)`.
            case dispatch(LineFramer.Frame, weight: Int)
            /// The same for the request in hand, which may have room now.
            case carryOut(weight: Int)
            /// There is nothing more to be done until one of these happens. When the poller has no room for it: `abort()`.
            case rest(Rest)
            /// Close the socket. What is in flight outlives it.
            case close
            /// Nothing is to be done: the connection has ended, or another thread serves it and looks once more before it goes.
            case leave
        }

        /// What a connection waits for that nobody serves.
        struct Rest: Equatable, Sendable {
            /// What the poller is to wait for, with nothing of which the socket is not looked at.
            var interest: Poller.Interest = []
            /// Whether it is to be served in its party's turn, although its socket may say nothing.
            var takesTurn = false
            /// Whether the party's share is to be asked to call it when there is room.
            var asksForRoom = false
            /// Whether nothing that it could wait for would make room, but the end of a pause.
            var isHeldAnyway = false
        }

        /// One thread's look at the connection: what it may do, and how far it has come.
        struct Visit: Sendable {
            /// The thread that serves the connection; `nil` for one that only has an event for it.
            fileprivate var server: Worker?
            /// What the socket is ready for and has not been looked after.
            fileprivate var ready: Poller.Interest = []
            /// Lines it may still dispatch, whatever they are.
            fileprivate var lines = 0
            /// Whether what there is to send is sent before anything else, whoever serves the connection.
            fileprivate var sendsFirst = false
            /// Whether the share has to be asked for room.
            fileprivate var asksForRoom = false

            /// A thread has had an event for the connection.
            static var passing: Visit { Visit() }

            /// A thread has added lines and has what there is sent.
            static var sending: Visit { Visit(sendsFirst: true) }

            /// A thread serves the connection for one turn, which it begins with `beginTurn(_:ready:)`.
            static func serving(by worker: Worker) -> Visit {
                Visit(server: worker, lines: linesInATurn)
            }
        }

        /// What is to be done now. To be asked until it answers with `.rest`, `.close` or `.leave`, and again when what
        /// `.dispatch` and `.carryOut` say has been done.
        mutating func next(_ visit: inout Visit, _ room: PartyShare.Room) -> Action {
            guard isOpen else {
                if server == visit.server { server = nil }
                guard mustClose else { return .leave }
                mustClose = false
                return .close
            }
            if let server, server != visit.server {
                return visit.sendsFirst && outgoing.isSendable ? .send : .leave
            }
            // What the caller sent is more than its party may have done, and it will not read the replies.
            if visit.ready.remove(.end) != nil, isWaiting { return close() }
            if visit.ready.remove(.write) != nil {
                outgoing.hasRoom()
                visit.sendsFirst = true
            }
            if visit.sendsFirst {
                if outgoing.isSendable { return .send }
                visit.sendsFirst = false
            }
            if visit.ready.remove(.read) != nil, goesOn(&visit, room) { return .read(atMost: Self.bytesInATurn) }
            if visit.lines > 0 {
                if let work = nextWork(&visit, room) {
                    visit.lines -= 1
                    server = visit.server
                    return work
                }
                visit.lines = 0
            }
            server = nil
            return outgoing.isSendable ? .send : rest(&visit, room)
        }

        /// The next line or request that may be dispatched.
        private mutating func nextWork(_ visit: inout Visit, _ room: PartyShare.Room) -> Action? {
            guard mayHaveWork, goesOn(&visit, room) else { return nil }
            if let weight = inHand {
                inHand = nil
                return .carryOut(weight: weight)
            }
            guard let line = framer.next() else {
                mayHaveLine = false
                return nil
            }
            var weight = Self.requestWeight
            if case .line(let bytes) = line { weight += bytes.count }
            inFlight += 1
            inFlightWeight += weight
            hasSentLine = true
            return .dispatch(line, weight: weight)
        }

        /// Waits for what is possible next, or closes.
        private mutating func rest(_ visit: inout Visit, _ room: PartyShare.Room) -> Action {
            if isFinishing, inFlight == 0, !mayHaveLine, outgoing.count == 0 { return close() }
            // Whether it has to wait any longer is asked below.
            if isWaiting, inHand == nil, holdsNothingElse {
                isWaiting = false
                visit.asksForRoom = false
            }
            var rest = Rest()
            if outgoing.isHeldUp { rest.interest.insert(.write) }
            if mayHaveWork {
                if !isInLine, goesOn(&visit, room) {
                    isInLine = true
                    rest.takesTurn = true
                }
            } else if !isFinishing, goesOn(&visit, room) {
                rest.interest.insert(.read)
            }
            if isWaiting {
                rest.interest.insert(.end)
                rest.asksForRoom = visit.asksForRoom
                rest.isHeldAnyway = visit.asksForRoom && isHeldAnyway
            }
            return .rest(rest)
        }

        // MARK: - What it goes by

        /// Whether there is something to dispatch.
        private var mayHaveWork: Bool { inHand != nil || mayHaveLine }

        /// Whether nothing is held for it but what is being read, or in hand. For that there is room always: nothing else that
        /// goes could make room for it.
        private var holdsNothingElse: Bool { inFlight == (inHand == nil ? 0 : 1) && outgoing.count == 0 }

        private var isHeldAnyway: Bool { inHand != nil || holdsNothingElse }

        /// Whether more may be read, and be dispatched. Where only the party has no room, it waits for the share's call.
        private mutating func goesOn(_ visit: inout Visit, _ room: PartyShare.Room) -> Bool {
            guard hasRoom() else { return false }
            if room.admits(isHeldAnyway: isHeldAnyway) { return true }
            isWaiting = true
            visit.asksForRoom = true
            return false
        }

        /// Whether its own requests and replies let more be read and dispatched.
        private mutating func hasRoom() -> Bool {
            let part = isHeldBack ? 2 : 1
            isHeldBack = inFlight >= Self.pipelineLimit / part || outgoing.count >= Self.outgoingLimit / part
            // One in hand has had its place in line, and is carried out whatever else there is.
            return !isWaiting && (inHand == nil ? !isHeldBack : operations < Self.operationLimit)
        }

        // MARK: - What happens: the socket

        /// A thread has come to serve the connection, whose socket is ready for this.
        mutating func beginTurn(_ visit: inout Visit, ready: Poller.Interest) {
            isInLine = false
            visit.ready = ready
        }

        mutating func hasRead(_ outcome: StreamSocket.Outcome<[UInt8]>) {
            switch outcome {
            case .done(let bytes):
                framer.feed(bytes)
                mayHaveLine = true
            case .ended: isFinishing = true
            case .notNow: break
            }
        }

        /// - Parameter taken: gets who is to be told that a line of theirs has been taken.
        mutating func hasSent(_ outcome: StreamSocket.Outcome<Int>, taken: inout [@Sendable () -> Void]) {
            switch outcome {
            case .done(let count): outgoing.hasSent(count, taken: &taken)
            case .notNow: outgoing.hasNoRoom(taken: &taken)
            // A broken connection has nobody to tell.
            case .ended: end()
            }
        }

        // MARK: - What happens: requests

        /// A request that has been dispatched is an operation: it is kept in hand until it has room.
        ///
        /// - Returns: whether the share is to be asked for that now. If it has none, it calls.
        mutating func takeInHand(_ weight: Int) -> Bool {
            guard isOpen else {
                forget(weight)
                return false
            }
            inHand = weight
            guard operations < Self.operationLimit else { return false }
            // Before the share can call.
            isWaiting = true
            return true
        }

        /// The share has room for the request in hand.
        ///
        /// - Returns: false when the connection has ended meanwhile, so that the room is another's.
        mutating func beginOperation() -> Bool {
            guard inHand != nil else { return false }
            inHand = nil
            isWaiting = false
            operations += 1
            return true
        }

        /// A request has been answered.
        mutating func finishRequest(_ weight: Int, isOperation: Bool) {
            forget(weight)
            if isOperation { operations -= 1 }
        }

        private mutating func forget(_ weight: Int) {
            inFlight -= 1
            inFlightWeight -= weight
        }

        /// A line is to be sent.
        ///
        /// - Parameter taken: called once the socket has taken it.
        /// - Returns: whether the thread that adds it is to have it written. What comes from the thread that dispatches is
        ///   written together when that has done with the connection.
        mutating func add(_ line: [UInt8], taken: (@Sendable () -> Void)? = nil, by worker: Worker) -> Bool {
            guard isOpen else { return false }
            outgoing.append(line, taken: taken)
            return server != worker
        }

        // MARK: - What happens: the rest

        /// The share calls: there may be room.
        mutating func callAgain() {
            isWaiting = false
        }

        /// Nothing more is to be read; what has been read is answered, and then the connection ends.
        mutating func finish() {
            isFinishing = true
        }

        /// Ends at once.
        mutating func abort() {
            if isOpen { end() }
        }

        /// Ends when it has been of no use for so many looks in a row: one that sends a byte now and then is not.
        mutating func closeIfIdle(_ mostLooks: Int, isWatching: Bool) {
            let isUsed = hasSentLine || inFlight > 0 || isWatching
            hasSentLine = false
            idleLooks = isUsed ? 0 : idleLooks + 1
            if idleLooks >= mostLooks { abort() }
        }

        /// Whether nothing is in flight and nothing waits to be taken.
        var isQuiet: Bool { inFlight == 0 && outgoing.count == 0 }

        /// Counts what is held, unless a thread serves an open connection: that one counts when it has done with it.
        ///
        /// - Returns: how many bytes more than when it was last counted.
        mutating func count() -> Int {
            if isOpen, server != nil { return 0 }
            let now = framer.count + outgoing.count + inFlightWeight
            defer { counted = now }
            return now - counted
        }

        private mutating func close() -> Action {
            end()
            mustClose = false
            server = nil
            return .close
        }

        /// What it has in flight outlives it.
        private mutating func end() {
            if let inHand { forget(inHand) }
            var ended = State()
            ended.isOpen = false
            ended.mustClose = true
            ended.server = server
            ended.inFlight = inFlight
            ended.inFlightWeight = inFlightWeight
            ended.operations = operations
            ended.counted = counted
            self = ended
        }
    }
}
