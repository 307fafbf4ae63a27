import Testing

@testable import Agent

/// The notes of a deployment on a token, and agents that look at them in whatever order.
private struct Token {
    var notes: [AgentNote] = []

    /// One look of an agent, and what comes of it.
    mutating func look(_ agent: inout SoleUse) {
        guard let note = agent.look(at: notes) else { return }
        notes = [note]
    }
}

@Suite("The only agent on a token")
struct SoleUseTests {
    private func note(_ digit: Character) -> AgentNote {
        AgentNote(agent: String(repeating: digit, count: 16), process: 1, host: "host")
    }

    private func agent(_ digit: Character, known: Character...) -> SoleUse {
        SoleUse(own: note(digit), known: Set(known.map { note($0).agent }))
    }

    private func isLater(_ agent: SoleUse) -> Bool {
        if case .later = agent.standing { true } else { false }
    }

    private func isEarlier(_ agent: SoleUse) -> Bool {
        if case .earlier = agent.standing { true } else { false }
    }

    @Test("one that is started again, however it ended, meets its own note and nobody else")
    func restarts() {
        var token = Token()
        var known: [Character] = []
        for digit in "abcdef" {
            var start = SoleUse(own: note(digit), known: Set(known.map { note($0).agent }))
            for _ in 1...3 { token.look(&start) }
            #expect(start.standing == .alone)
            #expect(token.notes.map(\.agent) == [note(digit).agent])
            known.append(digit)
        }
        #expect(token.notes.first?.number == 6)
    }

    @Test("a copy of its store that is started beside it is met by both, whoever looks when, and the copy is the later one")
    func copy() {
        for order in [[1, 2], [2, 1], [1, 1, 2], [2, 2, 1, 1, 2]] {
            var token = Token()
            var first = agent("b")
            token.look(&first)
            // The copy knows what the original has noted.
            var second = agent("a", known: "b")
            token.look(&second)
            #expect(second.standing == .alone, "it may as well be the next start")
            for _ in 1...3 {
                for number in order { if number == 1 { token.look(&first) } else { token.look(&second) } }
            }
            #expect(isEarlier(first) && isLater(second))
            #expect(token.notes.map(\.agent) == [note("b").agent], "the later one leaves the token to the other")
        }
    }

    @Test("one whose store has not been used since another one was is the later one before it has done anything")
    func olderStore() {
        var token = Token()
        var first = agent("a")
        token.look(&first)
        var second = agent("b", known: "c")
        token.look(&second)
        #expect(isLater(second))
        token.look(&first)
        #expect(isEarlier(first), "the other one learns of it, too")
    }

    @Test("of two that start at the same moment, one is the later one, and they agree which")
    func together() {
        var (first, second) = (agent("a"), agent("b"))
        // Neither has seen anything, and each leaves its note beside the other's.
        var notes = [first.look(at: []), second.look(at: [])].compactMap(\.self)
        #expect(notes.count == 2)
        for _ in 1...2 {
            if let answer = first.look(at: notes) { notes = [answer] }
            if let answer = second.look(at: notes) { notes = [answer] }
        }
        #expect(isEarlier(first) && isLater(second))
    }

    @Test("a note that cannot be removed, of an agent that has ended, is nobody")
    func stubbornNote() {
        let former = note("a")
        var second = agent("b", known: "a")
        guard let own = second.look(at: [former]) else {
            Issue.record("it says nothing")
            return
        }
        for _ in 1...3 {
            let answer = second.look(at: [former, own])
            #expect(answer == nil)
        }
        #expect(second.standing == .alone)
        var answered = former
        answered.answers = 1
        let answer = second.look(at: [answered, own])
        #expect(answer == nil && isLater(second), "unless it answers")
    }

    @Test("notes of former starts that a restored token shows again are nobody, whatever their number")
    func restoredToken() {
        for number in [0, 40] {
            var token = Token()
            var agent = agent("c", known: "a", "b")
            token.look(&agent)
            var former = note("a")
            former.number = number
            token.notes = [former]
            token.look(&agent)
            #expect(agent.standing == .alone && token.notes.map(\.agent) == [note("c").agent])
            // Somebody it does not know is another matter.
            token.notes = [note("d")]
            token.look(&agent)
            #expect(agent.standing != .alone)
        }
    }

    @Test("told that the other one has been stopped it goes on, and if that is not so finds it again")
    func told() {
        var token = Token()
        var first = agent("a")
        var second = agent("b", known: "a")
        token.look(&first)
        token.look(&second)
        token.look(&first)
        token.look(&second)
        #expect(isLater(second))
        let accepted = second.accept(token.notes)
        #expect(accepted == [note("a").agent, note("b").agent])
        token.look(&second)
        #expect(second.standing == .alone)
        token.look(&first)
        token.look(&second)
        #expect(isLater(second), "the first one is still there")
        _ = second.accept(token.notes)
        for _ in 1...3 { token.look(&second) }
        #expect(second.standing == .alone, "nobody answers any more")
    }

    @Test("told so between the moment the other's note was replaced and that one's answer, it still finds it again")
    func acceptedTooEarly() {
        var token = Token()
        var first = agent("a")
        token.look(&first)
        var second = agent("b")
        token.look(&second)
        #expect(isLater(second))
        // The first one has not looked yet: the token shows the second one's note alone.
        _ = second.accept(token.notes)
        for _ in 1...4 {
            token.look(&second)
            token.look(&first)
        }
        #expect(isEarlier(first) && isLater(second))
    }

    @Test("a token that has lost the note gets it again, and nobody else is suspected")
    func lostNote() {
        var token = Token()
        var first = agent("a")
        token.look(&first)
        token.notes = []
        token.look(&first)
        #expect(first.standing == .alone && token.notes.map(\.agent) == [note("a").agent])
    }

    @Test("who only looks leaves nothing behind")
    func onlooker() {
        var onlooker = SoleUse(own: nil, known: [])
        let written = onlooker.look(at: [note("a")])
        #expect(written == nil && isLater(onlooker))
    }

    @Test("a note reads as it was written, whatever a host is called, and nothing else reads as one")
    func text() throws {
        var note = AgentNote(agent: "0123456789abcdef", process: 4711, host: "a host=\nname")
        note.number = 7
        note.answers = 2
        #expect(note.text == "privyseal-agent-1 agent=0123456789abcdef number=7 answers=2 process=4711 host=a_host__name")
        #expect(AgentNote(text: note.text) == note)
        #expect(AgentNote(text: note.text + " more=words of-others") == note)
        for text in [
            "", "privyseal-agent-2 agent=0123456789abcdef number=7 answers=2", "privyseal-agent-1 agent=0123 number=7 answers=2",
            note.text.replacing("number=7", with: "number=99999999999999999999"),
            note.text.replacing("answers=2", with: "answers=-1"), note.text + String(repeating: " x", count: 300),
        ] { #expect(AgentNote(text: text) == nil, "\(text)") }
    }
}
