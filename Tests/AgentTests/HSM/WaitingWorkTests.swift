import Testing

@testable import Agent

@Suite("Work that waits for the token")
struct WaitingWorkTests {
    private static let second: Int64 = 1_000_000_000

    private func waiting(_ elements: (String, WorkClass)..., at now: Int64 = 0) -> WaitingWork<String> {
        var work = WaitingWork<String>(limit: 3)
        for (element, workClass) in elements {
            add(element, workClass, to: &work, at: now)
        }
        return work
    }

    private func add(
        _ element: String, _ workClass: WorkClass, to work: inout WaitingWork<String>, at now: Int64 = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let isTaken = work.add(element, workClass, at: now)
        #expect(isTaken, sourceLocation: sourceLocation)
    }

    /// What is handed out at that time.
    private func next(_ work: inout WaitingWork<String>, at now: Int64 = 0) -> String? { work.next(at: now) }

    /// Everything, as it is handed out at that time.
    private func all(_ work: inout WaitingWork<String>, at now: Int64 = 0) -> [String] {
        var elements: [String] = []
        while let element = work.next(at: now) { elements.append(element) }
        return elements
    }

    @Test("what somebody waits for goes before all else, and the rest takes turns")
    func order() {
        var work = waiting(
            ("d1", .destruction), ("d2", .destruction), ("g1", .generation), ("a1", .awaited), ("d3", .destruction),
            ("a2", .awaited), ("g2", .generation))
        #expect(all(&work) == ["a1", "a2", "d1", "g1", "d2", "g2", "d3"])
        #expect(work.count == 0)
    }

    @Test("what nobody waits for gets one piece done every five seconds, however much is awaited")
    func patience() {
        var work = waiting(("d1", .destruction), ("d2", .destruction))
        for number in 1...3 { add("a\(number)", .awaited, to: &work) }
        let almost = 5 * Self.second - 1
        #expect(next(&work, at: almost) == "a1")
        #expect(next(&work, at: almost + 1) == "d1")
        #expect(next(&work, at: almost + 1) == "a2")
        #expect(next(&work, at: almost + 5 * Self.second) == "a3")
        add("a4", .awaited, to: &work, at: almost)
        #expect(next(&work, at: almost + 1 + 5 * Self.second) == "d2")
        #expect(next(&work, at: almost + 100 * Self.second) == "a4")
        // One that has only just come is not due because another was done long ago.
        add("d3", .destruction, to: &work, at: 200 * Self.second)
        add("a5", .awaited, to: &work, at: 200 * Self.second)
        #expect(all(&work, at: 200 * Self.second) == ["a5", "d3"])
    }

    @Test("nothing that nobody waits for is begun while somebody who will bring more has reserved the thread")
    func reservations() {
        var work = waiting(("g1", .generation), ("a1", .awaited))
        work.reserve()
        work.reserve()
        #expect(all(&work) == ["a1"])
        work.release()
        #expect(next(&work) == nil && work.count == 1)
        work.release()
        #expect(all(&work) == ["g1"])
    }

    @Test("what somebody comes to wait for leaves the line of what nobody waits for")
    func promotion() {
        var work = waiting(("d1", .destruction), ("g1", .generation), ("d2", .destruction), ("a1", .awaited))
        let isPromoted = work.promote(at: 7_000_000_000) { $0 == "d2" }
        #expect(isPromoted)
        #expect(work.count(of: .awaited) == 2 && work.count(of: .destruction) == 1)
        // How long it had waited for nobody is nobody's wait.
        #expect(work.length(of: .awaited, at: 9_000_000_000) == LineLength(count: 2, oldestSeconds: 9))
        #expect(all(&work) == ["a1", "d2", "d1", "g1"])
        let isPromotedAgain = work.promote(at: 7_000_000_000) { _ in true }
        #expect(!isPromotedAgain)
    }

    @Test("what is not wanted any more is taken out, wherever it waits")
    func removal() {
        var work = waiting(("d1", .destruction), ("g1", .generation), ("d2", .destruction), ("a1", .awaited))
        _ = work.promote(at: 7_000_000_000) { $0 == "d1" }
        let removed = work.remove { $0.hasPrefix("d") }
        #expect(Set(removed) == ["d1", "d2"] && removed.count == 2)
        #expect(all(&work) == ["a1", "g1"])
    }

    @Test("no more is awaited than may be, and nothing gets lost that there is no room for")
    func limit() {
        var work = waiting(("a1", .awaited), ("a2", .awaited), ("a3", .awaited), ("d1", .destruction))
        let isTaken = work.add("a4", .awaited, at: 0)
        #expect(!isTaken)
        _ = work.promote(at: 7_000_000_000) { _ in true }
        #expect(work.count == 4)
        #expect(all(&work) == ["a1", "a2", "a3", "d1"])
    }

    @Test("each class tells how long its line is and how old its head")
    func lengths() {
        var work = waiting(("d1", .destruction), ("a1", .awaited))
        add("d2", .destruction, to: &work, at: 3 * Self.second)
        #expect(work.length(of: .destruction, at: 4 * Self.second) == LineLength(count: 2, oldestSeconds: 4))
        #expect(work.length(of: .awaited, at: 4 * Self.second) == LineLength(count: 1, oldestSeconds: 4))
        #expect(work.length(of: .generation, at: 4 * Self.second) == LineLength())
        #expect(next(&work, at: 4 * Self.second) == "a1")
        #expect(next(&work, at: 4 * Self.second) == "d1")
        #expect(work.length(of: .destruction, at: 4 * Self.second) == LineLength(count: 1, oldestSeconds: 1))
    }
}
