import Testing

@testable import Agent

@Suite("What waits for workers")
final class TurnQueueTests {
    private var queue = TurnQueue<String>(limit: 2)
    private var seen = Interruptions()

    /// As text: an element, or why there is none.
    private func next() -> String? { next(&seen) }

    private func next(_ seen: inout Interruptions) -> String? {
        switch queue.next(&seen) {
        case .element(let element): element
        case .interrupted: "interrupted"
        case .closed: "closed"
        case nil: nil
        }
    }

    @discardableResult
    private func add(_ element: String, of owner: UInt32 = 0) throws -> String? {
        if case .takenInstead(let displaced) = try queue.add(element, of: owner) { displaced } else { nil }
    }

    @Test("is handed out in turns, and of what does not fit the newest of the one with the most goes")
    func turns() throws {
        #expect(next() == nil)
        try add("a1", of: 1)
        try add("a2", of: 1)
        #expect(throws: TurnQueue<String>.Refusal.full) { try add("a3", of: 1) }
        #expect(try add("b1", of: 2) == "a2")
        #expect(queue.count == 2)
        #expect(next() == "a1")
        #expect(next() == "b1")
        #expect(next() == nil)
    }

    @Test("is taken before an interruption is heard of, which each worker is once")
    func interruptions() throws {
        queue.interrupt()
        queue.interrupt()
        try add("a")
        var other = Interruptions()
        #expect(next() == "a")
        #expect(next() == "interrupted")
        #expect(next() == nil)
        let told = next(&other)
        #expect(told == "interrupted" && other == seen)
        // One that begins now has seen those there were.
        other = queue.interruptions
        let toldAgain = next(&other)
        #expect(toldAgain == nil)
        queue.interrupt()
        #expect(next() == "interrupted")
    }

    @Test("is handed out after the end too, and no more is taken")
    func closing() throws {
        try add("a")
        queue.close()
        #expect(throws: TurnQueue<String>.Refusal.closed) { try add("b") }
        #expect(next() == "a")
        queue.interrupt()
        #expect(next() == "closed")
    }

    @Test("can be taken out by a condition, or all of it")
    func taking() throws {
        try add("a1")
        try add("b1")
        #expect(queue.take { $0.hasPrefix("a") } == ["a1"])
        try add("c1")
        #expect(queue.takeAll() == ["b1", "c1"])
        #expect(next() == nil)
    }
}
