import Dispatch
import Foundation
import Platform
import Testing

@testable import Agent

/// A poll source: a poll lasts until it consumes a wakeup or has something to bring.
// Sendable: every access to the stored state happens while `condition` is locked.
private final class Doorstep: @unchecked Sendable {
    private let condition = TimedCondition()
    private var parcels: [Int] = []
    private var wakeups = 0
    private var present = 0
    private var delivered = 0
    private let bring: @Sendable (Int) -> Void

    init(_ bring: @escaping @Sendable (Int) -> Void) {
        self.bring = bring
    }

    var source: PollSource {
        PollSource(poll: { [self] in poll(isOneOnly: $0, $1, $2) }, wakeup: { [self] in wakeup($0) })
    }

    private func poll(isOneOnly: Bool, _ patience: PollSource.Patience, _ begins: () -> Void) -> Bool {
        condition.lock()
        present += 1
        condition.broadcast()
        while parcels.isEmpty && wakeups == 0 && isWaiting(patience) {}
        let isWoken = wakeups > 0
        if isWoken { wakeups -= 1 }
        let brought = parcels.prefix(isOneOnly ? 1 : parcels.count)
        parcels.removeFirst(brought.count)
        present -= 1
        condition.broadcast()
        condition.unlock()
        if !brought.isEmpty { begins() }
        for parcel in brought { bring(parcel) }
        condition.lock()
        delivered += brought.count
        condition.broadcast()
        condition.unlock()
        return isWoken
    }

    private func isWaiting(_ patience: PollSource.Patience) -> Bool {
        switch patience {
        case .none: return false
        case .milliseconds(let some): return condition.wait(seconds: Double(some) / 1_000)
        case .endless:
            return condition.wait(seconds: .infinity)
        }
    }

    private func wakeup(_ threads: Int) {
        condition.lock()
        wakeups += threads
        condition.broadcast()
        condition.unlock()
    }

    /// Puts parcels down together and returns once a thread has brought them.
    func put(_ parcels: [Int]) {
        condition.lock()
        let target = delivered + parcels.count
        self.parcels += parcels
        condition.broadcast()
        while delivered < target { _ = condition.wait(seconds: .infinity) }
        condition.unlock()
    }

    /// Returns once so many are there.
    func await(_ count: Int) {
        condition.lock()
        while present < count { _ = condition.wait(seconds: .infinity) }
        condition.unlock()
    }
}

extension Crew {
    /// The next element for a worker that no interruption concerns; `nil` once the queue is closed and empty.
    func pop() -> Element? {
        var seen = interruptions
        while true {
            switch next(&seen) {
            case .element(let element): return element
            case .interrupted: continue
            case .closed: return nil
            }
        }
    }

    /// For elements that all have the same owner, which displaces none of its own.
    func push(_ element: Element) throws {
        _ = try push(element, of: 0)
    }
}

@Suite("Workers that poll while they wait")
struct CrewTests {
    /// Elements by the thread that took them.
    private final class Taken: Sendable {
        private let threads = Locked<[Int: String]>([:])
        private let count = Signal()

        func note(_ element: Int, by thread: String) {
            threads.withLock { $0[element] = thread }
            count.send()
        }

        /// Waits for so many more.
        func wait(for number: Int) {
            for _ in 0..<number { count.wait() }
        }

        subscript(element: Int) -> String? { threads.withLock { $0[element] } }
    }

    private let group = DispatchGroup()
    private let names = Locked<[pthread_t: String]>([:])

    private func start(_ name: String = "", _ body: @escaping @Sendable () -> Void) {
        group.enter()
        Thread.detachNewThread { [group, names] in
            names.withLock { $0[pthread_self()] = name }
            body()
            group.leave()
        }
    }

    /// Starts a thread that takes elements until the crew's queue is closed.
    private func startTaker(
        _ name: String = "", of crew: Crew<Int>, _ taken: Taken, interrupted: @escaping @Sendable () -> Void = {}
    ) {
        start(name) {
            var seen = Interruptions()
            while true {
                switch crew.next(&seen) {
                case .element(let element): taken.note(element, by: name)
                case .interrupted: interrupted()
                case .closed: return
                }
            }
        }
    }

    /// The name of the thread that asks.
    @Sendable private func here() -> String { names.withLock { $0[pthread_self()] ?? "" } }

    @Test("what a thread brings it takes itself, and others what is more than that")
    func own() {
        let crew = Crew<Int>(limit: 64)
        let (brought, taken) = (Taken(), Taken())
        let door = Doorstep { parcel in
            brought.note(parcel, by: here())
            try? crew.push(parcel)
        }
        crew.install(door.source)
        let together = (0..<50).map { _ in Signal() }
        for name in ["one", "two"] {
            start(name) {
                while let element = crew.pop() {
                    taken.note(element, by: name)
                    if element >= 100 { together[element / 2 - 50].wait() }
                }
            }
        }
        for element in 0..<50 {
            door.await(2)
            door.put([element])
            taken.wait(for: 1)
            #expect(taken[element] == brought[element])
        }
        // Neither thread goes on before both have taken one.
        for element in stride(from: 100, to: 200, by: 2) {
            door.put([element, element + 1])
            taken.wait(for: 2)
            #expect(taken[element] != taken[element + 1])
            for _ in 1...2 { together[element / 2 - 50].send() }
        }
        crew.endPolling()
        crew.close()
        group.wait()
    }

    @Test("everything is taken once, wherever it comes from and whoever is called for it")
    func everything() {
        let (sources, each) = (4, 400)
        let crew = Crew<Int>(limit: 2 * sources * each)
        let taken = Taken()
        let door = Doorstep { try? crew.push($0) }
        crew.install(door.source)
        for name in ["one", "two", "three"] {
            startTaker(name, of: crew, taken)
        }
        start { crew.backUp() }
        for source in 0..<sources {
            let own = source * each..<(source + 1) * each
            start { for element in own { try? crew.push(element) } }
            start {
                for element in stride(from: own.lowerBound, to: own.upperBound, by: 2) {
                    door.put([sources * each + element, sources * each + element + 1])
                    if element % 50 == 0 { crew.interrupt() }
                }
            }
        }
        taken.wait(for: 2 * sources * each)
        #expect((0..<2 * sources * each).allSatisfy { taken[$0] != nil })
        crew.endPolling()
        crew.close()
        group.wait()
        #expect(crew.count == 0)
    }

    @Test("an element from elsewhere, an interruption and the end call back a thread that is away")
    func recall() {
        let crew = Crew<Int>(limit: 64)
        let door = Doorstep { _ in }
        crew.install(door.source)
        let (taken, interrupted) = (Taken(), Signal())
        startTaker(of: crew, taken, interrupted: interrupted.send)
        door.await(1)
        try? crew.push(1)
        taken.wait(for: 1)
        door.await(1)
        crew.interrupt()
        interrupted.wait()
        door.await(1)
        crew.close()
        group.wait()
    }

    @Test("a thread stands in when none of the others comes, and no longer")
    func standIn() {
        let crew = Crew<Int>(limit: 64)
        let runner = Locked<[String]>([])
        let (taken, done) = (Taken(), Signal())
        let door = Doorstep { parcel in
            runner.withLock { $0.append(here()) }
            try? crew.push(parcel)
        }
        crew.install(door.source)
        for _ in 1...2 {
            start("taker") {
                while let element = crew.pop() {
                    taken.note(element, by: "taker")
                    done.wait()
                }
            }
        }
        start("stand-in") {
            crew.backUp()
        }
        // Whoever is there first: then the takers are busy, and only the other one can be there.
        for element in 1...2 {
            door.put([element])
            taken.wait(for: 1)
        }
        for element in 3...5 { door.put([element]) }
        #expect(runner.withLock { $0.dropFirst(2) } == ["stand-in", "stand-in", "stand-in"])
        for _ in 1...5 { done.send() }
        taken.wait(for: 3)
        // The stand-in may be there once more, and again whenever the takers are not back yet.
        var element = 6
        while element < 10_000, runner.withLock({ $0.last }) == "stand-in" {
            door.put([element])
            taken.wait(for: 1)
            done.send()
            element += 1
        }
        #expect(runner.withLock { $0.last } == "taker")
        crew.endPolling()
        crew.close()
        group.wait()
    }

    @Test("who is held up on the errand is known, stood in for, and nobody waits for it")
    func heldUp() {
        let crew = Crew<Int>(limit: 64)
        let (holding, held, released, interrupted) = (Signal(), Signal(), Signal(), Signal())
        let taken = Taken()
        let door = Doorstep { parcel in
            guard parcel == 0 else { return _ = try? crew.push(parcel) }
            held.send()
            holding.wait()
            released.send()
        }
        crew.install(door.source)
        startTaker("held up", of: crew, taken, interrupted: interrupted.send)
        // Or the one who stands in might be there first, and be held up.
        door.await(1)
        start("stand-in") { crew.backUp() }
        start { door.put([0]) }
        held.wait()
        #expect(crew.pollsUnderWay.count == 1)
        let before = crew.pollsUnderWay
        // Brought by the one who stands in, for whom nobody else is left.
        door.put([1])
        #expect(crew.count == 1 && crew.pollsUnderWay.isSuperset(of: before))
        startTaker("other", of: crew, taken, interrupted: interrupted.send)
        taken.wait(for: 1)
        door.await(1)
        crew.interrupt()
        interrupted.wait()
        door.put([2])
        taken.wait(for: 1)
        #expect(taken[1] == "other" && taken[2] == "other" && crew.pollsUnderWay.isSuperset(of: before))
        holding.send()
        released.wait()
        interrupted.wait()
        #expect(crew.pollsUnderWay.isDisjoint(with: before))
        crew.endPolling()
        crew.close()
        group.wait()
    }

    @Test("a thread that always finds something in the queue looks after the errand in between")
    func look() {
        let crew = Crew<Int>(limit: 8)
        let runner = Locked<[String]>([])
        let isOver = Locked(false)
        let door = Doorstep { _ in runner.withLock { $0.append(here()) } }
        crew.install(door.source)
        start("taker") {
            while let element = crew.pop() {
                // There is always a next one.
                if !isOver.withLock({ $0 }) { try? crew.push(element) }
            }
        }
        start { crew.backUp() }
        for element in 1...8 { try? crew.push(element) }
        var puts = 0
        while puts < 10_000, runner.withLock({ $0.last }) != "taker" || crew.count < 7 {
            door.put([puts])
            puts += 1
        }
        #expect(runner.withLock { $0.last } == "taker")
        isOver.withLock { $0 = true }
        crew.endPolling()
        crew.close()
        group.wait()
    }

    @Test("whoever would have to wait for an element is told first, and finds what has come meanwhile")
    func beforeWaiting() throws {
        let crew = Crew<Int>(limit: 4)
        var seen = crew.interruptions
        var calls = 0
        try crew.push(1)
        guard case .element(1) = crew.next(&seen, beforeWaiting: { calls += 1 }) else {
            Issue.record("no element")
            return
        }
        #expect(calls == 0)
        let next = crew.next(&seen) {
            calls += 1
            try? crew.push(2)
        }
        guard case .element(2) = next else {
            Issue.record("no element")
            return
        }
        #expect(calls == 1)
    }

    @Test func `Nothing is lost and no thread sleeps on while many owners push and many threads pop`() {
        let crew = Crew<Int>(limit: 64)
        let popped = Locked([Int]())
        let gone = Locked([Int]())
        let poppers = DispatchGroup()
        for _ in 0..<4 {
            start(in: poppers) { while let element = crew.pop() { popped.withLock { $0.append(element) } } }
        }
        let pushers = DispatchGroup()
        let perOwner = 2_000
        for owner in 0..<6 {
            start(in: pushers) {
                for number in 0..<perOwner {
                    let element = owner * perOwner + number
                    do {
                        if let displaced = try crew.push(element, of: UInt32(owner)) { gone.withLock { $0.append(displaced) } }
                    } catch {
                        gone.withLock { $0.append(element) }
                    }
                    if number % 64 == 0 { crew.interrupt() }
                }
            }
        }
        pushers.wait()
        crew.close()
        poppers.wait()
        let all = popped.withLock { $0 } + gone.withLock { $0 }
        #expect(all.sorted() == Array(0..<6 * perOwner))
        #expect(crew.count == 0)
    }

    private func start(in group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
        group.enter()
        Thread.detachNewThread {
            body()
            group.leave()
        }
    }
}
