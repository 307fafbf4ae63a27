import Testing

@testable import Agent

@Suite struct TurnsTests {
    @Test func `Owners take turns, and each keeps its order`() {
        var turns = Turns<UInt32, String>(limit: 10)
        for element in ["a1", "a2", "a3"] { add(element, 1, to: &turns) }
        for element in ["b1", "b2"] { add(element, 2, to: &turns) }
        add("c1", 3, to: &turns)
        #expect(turns.removeAll() == ["a1", "b1", "c1", "a2", "b2", "a3"])
        #expect(turns.count == 0)
    }

    @Test func `What is no longer wanted there is taken out, and each owner is known by its oldest`() {
        var turns = Turns<UInt32, String>(limit: 10)
        for element in ["a1", "a2", "a3"] { add(element, 1, to: &turns) }
        for element in ["b1", "b2"] { add(element, 2, to: &turns) }
        #expect(turns.remove { $0.hasSuffix("1") || $0.hasSuffix("3") } == ["a1", "a3", "b1"])
        #expect(turns.count == 2 && turns.count(of: 1) == 1 && turns.count(of: 2) == 1)
        #expect(turns.first(of: 1) == "a2" && turns.first(of: 2) == "b2" && turns.first(of: 3) == nil)
        #expect(turns.remove { $0 == "a2" } == ["a2"])
        #expect(turns.first(of: 1) == nil)
        #expect(turns.removeAll() == ["b2"])
    }

    @Test func `An owner that comes back waits for the others' turns`() {
        var turns = Turns<UInt32, String>(limit: 10)
        add("a1", 1, to: &turns)
        add("b1", 2, to: &turns)
        add("b2", 2, to: &turns)
        #expect(turns.next() == "a1")
        add("a2", 1, to: &turns)
        #expect(turns.removeAll() == ["b1", "a2", "b2"])
    }

    @Test func `One owner alone may fill the queue, and no more`() {
        var turns = Turns<UInt32, Int>(limit: 4)
        for number in 1...4 { add(number, 1, to: &turns) }
        expectRefusal(5, 1, by: &turns)
        #expect(turns.removeAll() == [1, 2, 3, 4])
    }

    @Test func `Whoever comes to a full queue takes the place of the newest of the one with the most`() {
        var turns = Turns<UInt32, String>(limit: 4)
        for element in ["a1", "a2", "a3"] { add(element, 1, to: &turns) }
        add("b1", 2, to: &turns)
        guard case .takenInstead(of: "a3") = turns.add("c1", of: 3) else {
            Issue.record("c1 has not taken the place of a3")
            return
        }
        #expect(turns.count == 4)
        expectRefusal("a4", 1, by: &turns)
        #expect(turns.removeAll() == ["a1", "b1", "c1", "a2"])
    }

    @Test(arguments: [2, 3, 5, 8])
    func `However much the others put in, an owner gets its share in`(others: Int) {
        let limit = 64
        var turns = Turns<UInt32, Int>(limit: limit)
        for owner in 1...others { for _ in 0..<limit { _ = turns.add(owner, of: UInt32(owner)) } }
        let share = limit / (others + 1)
        for _ in 0..<share {
            if case .refused = turns.add(0, of: 0) { Issue.record("refused below its share") }
            // They go on.
            for owner in 1...others { _ = turns.add(owner, of: UInt32(owner)) }
        }
        #expect(turns.count == limit)
        let waiting = turns.removeAll()
        #expect(waiting.count { $0 == 0 } == share)
        // And its first is handed out after one of each of the others at most.
        #expect(waiting.prefix(others + 1).contains(0))
    }

    @Test func `With more owners than places, who has none yet displaces only one that has two`() {
        var turns = Turns<UInt32, Int>(limit: 2)
        add(1, 1, to: &turns)
        add(2, 1, to: &turns)
        guard case .takenInstead(of: 2) = turns.add(3, of: 2) else {
            Issue.record("3 has not taken the place of 2")
            return
        }
        expectRefusal(4, 3, by: &turns)
        #expect(turns.removeAll() == [1, 3])
    }

    @Test func `What is taken out by a condition leaves the rest in its turns`() {
        var turns = Turns<UInt32, Int>(limit: 10)
        for number in [1, 2, 3] { add(number, 1, to: &turns) }
        for number in [10, 12] { add(number, 2, to: &turns) }
        #expect(turns.remove { $0 % 2 == 0 } == [2, 10, 12])
        #expect(turns.count == 2)
        add(11, 2, to: &turns)
        #expect(turns.removeAll() == [1, 11, 3])
    }

    @Test func `Long queues keep their order when places are freed`() {
        var turns = Turns<UInt32, Int>(limit: 5_000)
        var handedOut: [Int] = []
        for number in 0..<3_000 { add(number, 1, to: &turns) }
        for _ in 0..<2_000 { if let next = turns.next() { handedOut.append(next) } }
        for number in 3_000..<4_000 { add(number, 1, to: &turns) }
        handedOut += turns.removeAll()
        #expect(handedOut == Array(0..<4_000))
    }

    private func add<E>(_ element: E, _ owner: UInt32, to turns: inout Turns<UInt32, E>) {
        guard case .taken = turns.add(element, of: owner) else {
            Issue.record("\(element) has not simply been taken")
            return
        }
    }

    private func expectRefusal<E>(_ element: E, _ owner: UInt32, by turns: inout Turns<UInt32, E>) {
        guard case .refused = turns.add(element, of: owner) else {
            Issue.record("\(element) has not been refused")
            return
        }
    }

    @Test("whether an element is taken out is asked once: the answer may be another the next time")
    func askedOnce() {
        var turns = Turns<String, String>(limit: 10)
        for (owner, element) in [("a", "a1"), ("a", "a2"), ("b", "b1")] { _ = turns.add(element, of: owner) }
        var asked: [String] = []
        let removed = turns.remove { element in
            asked.append(element)
            return asked.count == 2
        }
        #expect(asked == ["a1", "a2", "b1"])
        #expect(removed == ["a2"])
        #expect(turns.count == 2 && turns.removeAll() == ["a1", "b1"])
    }
}
