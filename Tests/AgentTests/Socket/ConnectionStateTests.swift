import AgentProtocol
import Platform
import Testing

@testable import Agent

/// A connection's state with a socket, a poller and a share that do as a test says.
private struct ScriptedConnection {
    typealias Action = Connection.State.Action
    typealias Rest = Connection.State.Rest

    var state = Connection.State()
    /// What the caller has sent, read by read, and whether it has closed its side after that.
    var incoming: [String] = []
    var hasClosedItsSide = false
    /// Bytes that the socket still takes, and whether it is broken.
    var space = Int.max
    var isBroken = false
    var room = PartyShare.Room()
    /// What was sent, call by call.
    var sent: [String] = []
    /// Who has been told that a line has been taken.
    let told = Locked<[String]>([])

    /// The worker that serves unless a test says otherwise.
    static let serving = Worker(number: 1)
    static let other = Worker(number: 2)

    /// A line as short as a dispatched one can be.
    static let weight = Connection.State.requestWeight + 1

    /// Lets a visit go on until it has something to dispatch, or is over.
    mutating func step(_ visit: inout Connection.State.Visit) -> Action {
        while true {
            let action = state.next(&visit, room)
            switch action {
            case .read(let most):
                #expect(most == Connection.State.bytesInATurn)
                if !incoming.isEmpty {
                    state.hasRead(.done(Array(incoming.removeFirst().utf8)))
                } else {
                    state.hasRead(hasClosedItsSide ? .ended : .notNow)
                }
            case .send: send()
            case .dispatch, .carryOut, .rest, .close, .leave: return action
            }
        }
    }

    private mutating func send() {
        let bytes = state.outgoing.bytes[state.outgoing.start...].prefix(space)
        var taken: [@Sendable () -> Void] = []
        if isBroken {
            state.hasSent(.ended, taken: &taken)
        } else if bytes.isEmpty {
            state.hasSent(.notNow, taken: &taken)
        } else {
            space -= bytes.count
            sent.append(String(decoding: bytes, as: UTF8.self))
            state.hasSent(.done(bytes.count), taken: &taken)
        }
        for told in taken { told() }
    }

    /// Serves one turn and does with each line what `dispatch` says. Returns the lines, and how the turn ended.
    mutating func serve(
        _ ready: Poller.Interest = .read, by worker: Worker = serving,
        _ dispatch: (inout ScriptedConnection, String) -> Void = { _, _ in }
    ) -> (lines: [String], end: Action) {
        var visit = Connection.State.Visit.serving(by: worker)
        state.beginTurn(&visit, ready: ready)
        var lines: [String] = []
        while true {
            switch step(&visit) {
            case .dispatch(.line(let bytes), _):
                lines.append(String(decoding: bytes, as: UTF8.self))
                dispatch(&self, lines.last!)
            case .dispatch(.tooLong, _): lines.append("too long")
            case .carryOut:
                lines.append("in hand")
                dispatch(&self, "in hand")
            case let end: return (lines, end)
            }
        }
    }

    /// Notes an event, and returns what is to be done then.
    mutating func after(_ event: (inout Connection.State) -> Void) -> Action {
        event(&state)
        var visit = Connection.State.Visit.passing
        return step(&visit)
    }

    /// Answers a request. Returns what is to be done then; nothing when the thread that serves will do it.
    mutating func reply(_ text: String, isOperation: Bool = false, by worker: Worker = other) -> Action? {
        state.finishRequest(Self.weight, isOperation: isOperation)
        return add(text, by: worker)
    }

    mutating func notify(_ text: String) -> Action? {
        add(text, taken: { [told] in told.withLock { $0.append(text) } }, by: Self.other)
    }

    private mutating func add(_ text: String, taken: (@Sendable () -> Void)? = nil, by worker: Worker) -> Action? {
        guard state.add(Array(text.utf8), taken: taken, by: worker) else { return nil }
        var visit = Connection.State.Visit.sending
        return step(&visit)
    }
}

@Suite struct ConnectionStateTests {
    private typealias Rest = ScriptedConnection.Rest
    private typealias State = Connection.State

    private static let reading = Connection.State.Action.rest(Rest(interest: .read))
    private static let nothing = Connection.State.Action.rest(Rest())

    /// One that has `count` requests in flight and reads on.
    private func connection(inFlight count: Int) -> ScriptedConnection {
        var one = ScriptedConnection()
        for _ in 0..<count {
            one.incoming = ["x\n"]
            _ = one.serve()
        }
        return one
    }

    // MARK: - Requests and replies

    @Test func `Pipelined lines are dispatched eight to a turn, and their replies are sent together`() {
        var one = ScriptedConnection(incoming: ["0\n1\n2\n3\n4\n5\n6\n7\n8\n9\nha"])
        let first = one.serve { #expect($0.reply("<\($1)>", by: ScriptedConnection.serving) == nil) }
        #expect(first.lines == (0...7).map(String.init))
        #expect(first.end == .rest(Rest(takesTurn: true)))
        #expect(one.sent == ["<0><1><2><3><4><5><6><7>"])
        // The rest of them without anything more from the socket, and half a line waits for its other half.
        let second = one.serve([])
        #expect(second.lines == ["8", "9"] && second.end == Self.reading)
        one.incoming = ["lf\n"]
        #expect(one.serve().lines == ["half"])
    }

    @Test func `One that has its turn coming is not put in line again`() {
        var one = ScriptedConnection(incoming: ["0\n1\n2\n3\n4\n5\n6\n7\n8\n"])
        #expect(one.serve().end == .rest(Rest(takesTurn: true)))
        #expect(one.reply("late") == Self.nothing)
        #expect(one.serve([]).lines == ["8"])
    }

    @Test func `A reply from another thread is sent at once, also while lines are dispatched`() {
        var one = ScriptedConnection(incoming: ["a\nb\n"])
        let turn = one.serve { one, line in
            guard line == "b" else { return }
            #expect(one.reply("<a>") == .leave)
            #expect(one.sent == ["<a>"])
        }
        #expect(turn.end == Self.reading)
        #expect(one.reply("<b>") == Self.reading)
        #expect(one.sent == ["<a>", "<b>"])
    }

    @Test func `A thread that comes while another serves leaves the connection to that one, which waits for what was ready`() {
        var one = ScriptedConnection(incoming: ["a\n", "b\n"])
        let turn = one.serve { one, _ in
            #expect(one.serve(by: ScriptedConnection.other).end == .leave)
            #expect(one.after { $0.callAgain() } == .leave)
        }
        #expect(turn.lines == ["a"] && turn.end == Self.reading)
        #expect(one.serve().lines == ["b"])
    }

    @Test func `A line that is too long is dispatched as such, once`() {
        var one = ScriptedConnection(incoming: [String(repeating: "x", count: ProtocolLimits.requestLine + 1), "x\nnext\n"])
        #expect(one.serve().lines == ["too long"])
        #expect(one.serve().lines == ["next"])
    }

    // MARK: - The end

    @Test func `A caller that has closed its side is answered, and the connection closed with the last reply`() {
        var one = ScriptedConnection(incoming: ["a\nb\n"], hasClosedItsSide: true)
        #expect(one.serve().end == Self.reading)
        // Its end would be said for ever.
        #expect(one.serve().end == Self.nothing)
        #expect(one.reply("<b>") == Self.nothing)
        #expect(one.reply("<a>") == .close)
        #expect(one.sent == ["<b>", "<a>"] && !one.state.isOpen)
    }

    @Test func `A caller that has closed its side and reads slowly gets all of its replies`() {
        var one = ScriptedConnection(incoming: ["a\n"], hasClosedItsSide: true, space: 1)
        _ = one.serve()
        _ = one.serve()
        #expect(one.reply("<a>") == .rest(Rest(interest: .write)))
        one.space = 2
        #expect(one.serve(.write).end == .close)
        #expect(one.sent == ["<", "a>"])
    }

    @Test func `An ending agent reads no more, and answers what has been read`() {
        var one = ScriptedConnection(incoming: ["0\n1\n2\n3\n4\n5\n6\n7\n8\n", "never\n"])
        _ = one.serve()
        #expect(one.after { $0.finish() } == Self.nothing)
        #expect(one.serve([]).lines == ["8"])
        for number in 0...7 { #expect(one.reply("<\(number)>") == Self.nothing) }
        #expect(one.reply("<8>") == .close)
        #expect(one.incoming == ["never\n"])
    }

    @Test func `An ending agent closes a connection at once on which nothing is in flight`() {
        var one = ScriptedConnection()
        #expect(one.after { $0.finish() } == .close)
    }

    @Test func `A reply after the end goes nowhere, and what was held for it is given back`() {
        var one = connection(inFlight: 2)
        #expect(one.state.count() == 2 * ScriptedConnection.weight)
        #expect(one.after { $0.abort() } == .close)
        #expect(one.state.count() == 0)
        #expect(one.reply("late") == nil)
        #expect(one.state.count() == -ScriptedConnection.weight)
        #expect(one.reply("later") == nil && one.sent.isEmpty)
        #expect(one.state.count() == -ScriptedConnection.weight && one.state.counted == 0)
        #expect(one.after { $0.abort() } == .leave && one.serve().end == .leave)
    }

    @Test func `One that has to go while it is served is closed by whoever ends it, once`() {
        var one = ScriptedConnection(incoming: ["a\nb\n"])
        let turn = one.serve { one, _ in #expect(one.after { $0.abort() } == .close) }
        // What the thread that serves has begun it ends, and begins nothing more.
        #expect(turn.lines == ["a"] && turn.end == .leave)
        #expect(one.reply("late") == nil)
        _ = one.state.count()
        #expect(one.state.counted == 0)
    }

    @Test func `A broken connection is closed when something is sent, whatever is in flight`() {
        var one = connection(inFlight: 2)
        one.isBroken = true
        #expect(one.reply("<a>") == .close)
        #expect(one.reply("<b>") == nil)
    }

    @Test func `One that the poller has no room for is closed`() {
        var one = ScriptedConnection()
        #expect(one.after { _ in } == Self.reading)
        #expect(one.after { $0.abort() } == .close)
    }

    // MARK: - Limits of its own

    @Test func `No more than 256 requests are in flight, and none is read before half of them have been answered`() {
        var one = ScriptedConnection(incoming: Array(repeating: "0\n1\n2\n3\n4\n5\n6\n7\n", count: 100))
        var count = 0
        while case let turn = one.serve(), !turn.lines.isEmpty { count += turn.lines.count }
        #expect(count == State.pipelineLimit)
        for _ in 1...State.pipelineLimit / 2 { #expect(one.reply(".") == Self.nothing) }
        // Whether there is a line left is seen when it has its turn.
        #expect(one.reply(".") == .rest(Rest(takesTurn: true)))
        #expect(one.serve([]).end == Self.reading)
        #expect(one.serve().lines.count == 8)
    }

    @Test func `Lines that have been read wait for their turn when 256 requests are in flight`() {
        var one = connection(inFlight: State.pipelineLimit - 1)
        one.incoming = ["a\nb\n"]
        #expect(one.serve().lines == ["a"])
        for _ in 1..<State.pipelineLimit / 2 { #expect(one.reply(".") == Self.nothing) }
        #expect(one.reply(".") == Self.nothing)
        #expect(one.reply(".") == .rest(Rest(takesTurn: true)))
        #expect(one.serve([]).lines == ["b"])
    }

    @Test func `A caller that never reads is read from until 64 KiB wait for it, and again when half of that has been taken`() {
        var one = connection(inFlight: 100)
        one.space = 1_000
        let reply = String(repeating: ".", count: 1_000)
        #expect(one.reply(reply) == Self.reading)
        for _ in 1...65 { #expect(one.reply(reply) == .rest(Rest(interest: [.read, .write]))) }
        #expect(one.reply(reply) == .rest(Rest(interest: .write)))
        #expect(one.state.outgoing.count == 66_000)
        one.space = 33_000
        #expect(one.serve(.write).end == .rest(Rest(interest: .write)))
        one.space = 1_000
        #expect(one.serve(.write).end == .rest(Rest(interest: [.read, .write])))
        one.space = .max
        #expect(one.serve(.write).end == Self.reading)
        #expect(one.sent.joined().count == 67_000)
    }

    @Test func `A line's sender is told when the socket has taken all of it`() {
        var one = ScriptedConnection(space: 5)
        #expect(one.notify("first") == Self.reading)
        #expect(one.told.withLock { $0 } == ["first"])
        one.space = 2
        #expect(one.notify("second") == .rest(Rest(interest: [.read, .write])))
        #expect(one.notify("third") == .rest(Rest(interest: [.read, .write])))
        #expect(one.told.withLock { $0 } == ["first"])
        one.space = 4
        _ = one.serve(.write)
        #expect(one.told.withLock { $0 } == ["first", "second"])
        one.space = .max
        _ = one.serve(.write)
        #expect(one.told.withLock { $0 } == ["first", "second", "third"])
    }

    @Test func `What is held is counted when nobody serves`() {
        var one = ScriptedConnection(incoming: ["a\nhalf"])
        _ = one.serve { one, _ in #expect(one.state.count() == 0) }
        #expect(one.state.count() == ScriptedConnection.weight + 4)
        one.space = 0
        _ = one.reply("reply")
        #expect(one.state.count() == 5 - ScriptedConnection.weight)
        one.space = 5
        _ = one.serve(.write)
        #expect(one.state.count() == -5 && one.state.counted == 4)
    }

    // MARK: - Operations

    /// Dispatches a line as an operation.
    private func begin(_ one: inout ScriptedConnection, shareHasRoom: Bool = true) -> Bool {
        one.state.takeInHand(ScriptedConnection.weight) && shareHasRoom && one.state.beginOperation()
    }

    @Test func `Four operations of a connection are carried out at a time, and the fifth waits in hand, with all behind it`() {
        var one = ScriptedConnection(incoming: ["0\n1\n2\n3\n4\n5\n"])
        var begun: [String] = []
        let turn = one.serve { one, line in if self.begin(&one) { begun.append(line) } }
        #expect(begun == ["0", "1", "2", "3"] && turn.lines == ["0", "1", "2", "3", "4"])
        #expect(turn.end == Self.nothing)
        #expect(one.reply("<0>", isOperation: true) == .rest(Rest(takesTurn: true)))
        let next = one.serve([]) { one, line in if self.begin(&one) { begun.append(line) } }
        #expect(next.lines == ["in hand", "5"] && begun == ["0", "1", "2", "3", "in hand"])
    }

    @Test func `An operation for which the party has no place waits in hand until the share calls`() {
        var one = ScriptedConnection(incoming: ["a\nb\n"])
        let turn = one.serve { one, _ in #expect(self.begin(&one, shareHasRoom: false) == false) }
        #expect(turn.lines == ["a"] && turn.end == .rest(Rest(interest: .end)))
        #expect(one.after { $0.callAgain() } == .rest(Rest(takesTurn: true)))
        #expect(one.serve([]) { one, _ in _ = self.begin(&one) }.lines == ["in hand", "b"])
    }

    @Test func `The share's call is not lost that comes while the thread still serves`() {
        var one = ScriptedConnection(incoming: ["a\n"])
        var calls = 0
        let turn = one.serve { one, _ in
            calls += 1
            #expect(self.begin(&one, shareHasRoom: calls > 1) == (calls > 1))
            if calls == 1 { #expect(one.after { $0.callAgain() } == .leave) }
        }
        #expect(turn.lines == ["a", "in hand"] && turn.end == Self.reading)
    }

    @Test func `A place is given back that comes when the connection has ended`() {
        var one = ScriptedConnection(incoming: ["a\n"])
        _ = one.serve { one, _ in
            #expect(one.state.takeInHand(ScriptedConnection.weight) == true)
            #expect(one.after { $0.abort() } == .close)
            #expect(one.state.beginOperation() == false)
        }
        _ = one.state.count()
        #expect(one.state.counted == 0)
        // Nor is anything taken in hand for one that has ended before.
        var other = ScriptedConnection(incoming: ["a\n"])
        _ = other.serve { one, _ in
            #expect(one.after { $0.abort() } == .close)
            #expect(one.state.takeInHand(ScriptedConnection.weight) == false)
        }
        _ = other.state.count()
        #expect(other.state.counted == 0)
    }

    // MARK: - Its party's share

    @Test func `One whose party has no room is not read until the share calls, but looked at for its end`() {
        var one = connection(inFlight: 1)
        one.room.isFull = true
        one.incoming = ["b\n"]
        #expect(one.serve().end == .rest(Rest(interest: .end, asksForRoom: true)))
        // Asked for once, whatever else happens.
        #expect(one.notify("change") == .rest(Rest(interest: .end)))
        one.room.isFull = false
        #expect(one.after { $0.callAgain() } == Self.reading)
        #expect(one.serve().lines == ["b"])
    }

    @Test func `Lines that have been read wait for the share's call too, and are then dispatched`() {
        var one = ScriptedConnection(incoming: ["a\nb\n"])
        let turn = one.serve { one, _ in one.room.isFull = true }
        #expect(turn.lines == ["a"] && turn.end == .rest(Rest(interest: .end, asksForRoom: true)))
        #expect(one.after { $0.callAgain() } == .rest(Rest(interest: .end, asksForRoom: true)))
        one.room.isFull = false
        #expect(one.after { $0.callAgain() } == .rest(Rest(takesTurn: true)))
        #expect(one.serve([]).lines == ["b"])
    }

    @Test func `What holds nothing else is served though its party has no room, and waits no longer when that has come about`() {
        var one = ScriptedConnection(incoming: ["a\n", "b\n"], room: PartyShare.Room(isFull: true))
        for line in ["a", "b"] {
            let turn = one.serve()
            #expect(turn.lines == [line] && turn.end == .rest(Rest(interest: .end, asksForRoom: true)))
            #expect(one.reply("<\(line)>") == .rest(Rest(takesTurn: true)))
            #expect(one.serve([]).end == Self.reading)
        }
    }

    @Test func `A pause holds for every connection of a party, for one that holds nothing until its end`() {
        var one = ScriptedConnection(incoming: ["a\n"], room: PartyShare.Room(isPaused: true))
        let waiting = Rest(interest: .end, asksForRoom: true, isHeldAnyway: true)
        #expect(one.serve().end == .rest(waiting))
        #expect(one.after { _ in } == .rest(waiting))
        one.room.isPaused = false
        #expect(one.after { $0.callAgain() } == Self.reading)
        #expect(one.serve().lines == ["a"])
    }

    @Test func `A caller that goes while its connection waits is not waited for`() {
        var one = connection(inFlight: 1)
        one.room.isFull = true
        one.incoming = ["b\n"]
        _ = one.serve()
        #expect(one.serve(.end).end == .close)
        // Nor is one closed that waits for nothing.
        var other = connection(inFlight: 1)
        #expect(other.serve(.end).end == Self.reading)
    }

    // MARK: - Idleness

    @Test func `One of no use for so many looks in a row is closed, though it sends a byte now and then`() {
        var one = ScriptedConnection()
        for _ in 1...2 {
            one.incoming = ["x"]
            _ = one.serve()
            #expect(one.after { $0.closeIfIdle(3, isWatching: false) } == Self.reading)
        }
        #expect(one.after { $0.closeIfIdle(3, isWatching: false) } == .close)
    }

    @Test func `A line, a request in flight and watching are of use, and the looks begin anew`() {
        var one = ScriptedConnection()
        func look(isWatching: Bool = false) -> Connection.State.Action {
            one.after { $0.closeIfIdle(2, isWatching: isWatching) }
        }
        for _ in 1...5 { #expect(look(isWatching: true) == Self.reading) }
        #expect(look() == Self.reading)
        one.incoming = ["a\n"]
        _ = one.serve()
        for _ in 1...5 { #expect(look() == Self.reading) }
        _ = one.reply("<a>")
        #expect(look() == Self.reading)
        // What came between two looks, and was answered.
        one.incoming = ["b\n"]
        _ = one.serve()
        _ = one.reply("<b>")
        for _ in 1...2 { #expect(look() == Self.reading) }
        #expect(look() == .close)
    }
}
