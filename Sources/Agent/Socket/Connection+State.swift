import AgentProtocol
import Glibc
import Platform

extension Connection {
    /// What is known of a connection: the rules by which it is read, without the sockets and threads that follow them.
    struct State {
        /// A request that waits for room.
        struct InHand {
            let request: Dispatcher.ReceivedRequest
            let weight: Int
        }

        /// `nil` once the connection has ended.
        private(set) var socket: StreamSocket?
        var registration = Poller.Registration()
        private var framer = LineFramer()
        /// Whether a whole line may have been read that has not been dispatched.
        private(set) var mayHaveLine = false
        var inHand: InHand?
        /// Whether nothing is read or dispatched until it is called.
        var isWaiting = false
        /// Whether it will have its turn without anything more.
        var isInLine = false
        /// Whether lines wait, and nothing is read, until less is under way.
        private var isPaused = false
        /// The thread that is dispatching lines. It will write what it replies to them, and see what is to be waited for.
        var server: pthread_t?
        var outgoing = OutgoingLines()
        /// Requests, those in hand included.
        var underWay = 0
        /// Bytes that they are taken for.
        var underWayWeight = 0
        /// Those of them that are other than `sign` and are carried out.
        var operations = 0
        /// Whether nothing more is read: the caller closed its side, or the agent is shutting down.
        var isFinishing = false
        /// Whether a whole line has come since idleness was last looked at.
        var hasSentLine = false
        /// How often in a row it was found idle.
        var idleLooks = 0
        /// Bytes that are held for it, when that was last counted.
        private(set) var counted = 0

        /// Requests a connection may have under way before it is read from no further, until there are half as many.
        private static let pipelineLimit = 256
        /// The same for bytes of replies that have not been taken.
        private static let outgoingLimit = 65_536
        /// Requests other than `sign` that are carried out at a time.
        private static let operationLimit = 4
        /// Bytes read from a connection before it is the next one's turn: some requests of the usual size, and what malloc has
        /// at hand.
        private static let turn = 960
        /// Bytes that a request is taken for beside its line: what is kept for it, and its usual reply.
        private static let requestWeight = 2_048

        init(socket: StreamSocket) {
            self.socket = socket
        }

        /// Whether there is something to dispatch.
        var mayHaveWork: Bool { inHand != nil || mayHaveLine }

        var hasRoomForOperation: Bool { operations < Self.operationLimit }

        /// Whether nothing is held for it but what is being read, or in hand. For that there is room always: nothing else that
        /// goes could make room for it.
        var holdsNothingElse: Bool { underWay == (inHand == nil ? 0 : 1) && outgoing.count == 0 }

        /// Whether its own requests and replies let more be read and dispatched.
        var hasRoom: Bool {
            mutating get {
                let part = isPaused ? 2 : 1
                isPaused = underWay >= Self.pipelineLimit / part || outgoing.count >= Self.outgoingLimit / part
                // One in hand has had its place in line, and is carried out whatever else there is.
                return !isWaiting && (inHand == nil ? !isPaused : hasRoomForOperation)
            }
        }

        mutating func read() {
            switch socket?.read(atMost: Self.turn) {
            case .done(let bytes):
                framer.feed(bytes)
                mayHaveLine = true
            case .ended: isFinishing = true
            case .notNow, nil: break
            }
        }

        /// The next line, if there is a whole one, and the bytes its request is taken for.
        mutating func nextLine() -> (LineFramer.Frame, weight: Int)? {
            guard mayHaveLine else { return nil }
            guard let line = framer.next() else {
                mayHaveLine = false
                return nil
            }
            var weight = Self.requestWeight
            if case .line(let bytes) = line { weight += bytes.count }
            underWay += 1
            underWayWeight += weight
            hasSentLine = true
            return (line, weight)
        }

        /// Keeps a request for when there is room.
        ///
        /// - Returns: whether there still is somebody to carry it out for.
        mutating func take(_ request: Dispatcher.ReceivedRequest, _ weight: Int) -> Bool {
            guard socket != nil else {
                underWay -= 1
                underWayWeight -= weight
                return false
            }
            inHand = InHand(request: request, weight: weight)
            return true
        }

        /// Counts what is held.
        ///
        /// - Returns: how many bytes more than when it was last counted.
        mutating func count() -> Int {
            let now = framer.count + outgoing.count + underWayWeight
            defer { counted = now }
            return now - counted
        }

        /// What it has under way outlives it.
        mutating func end() {
            if inHand != nil {
                underWay -= 1
                underWayWeight -= inHand?.weight ?? 0
            }
            let ended = self
            self = State(ended: ended)
        }

        private init(ended: State) {
            server = ended.server
            underWay = ended.underWay
            underWayWeight = ended.underWayWeight
            operations = ended.operations
            counted = ended.counted
        }
    }
}
