import Dispatch
import Foundation
import Platform
import Testing

@testable import Agent

/// An errand that lasts until it is recalled or has something to bring.
// Sendable: every access to the stored state happens while `condition` is locked.
private final class Doorstep: @unchecked Sendable {
    private let condition = TimedCondition()
    private var parcels: [Int] = []
    private var recalls = 0
    private var present = 0
    private var delivered = 0
    private let bring: @Sendable (Int) -> Void

    init(_ bring: @escaping @Sendable (Int) -> Void) {
        self.bring = bring
    }

    var errand: Errand {
        Errand(run: { [self] in run(isOneOnly: $0, $1, $2) }, recall: { [self] in recall($0) })
    }

    private func run(isOneOnly: Bool, _ patience: Errand.Patience, _ begins: () -> Void) -> Bool {
        condition.lock()
        present += 1
        condition.broadcast()
        while parcels.isEmpty && recalls == 0 && isWaiting(patience) {}
        let isRecalled = recalls > 0
        if isRecalled { recalls -= 1 }
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
        return isRecalled
    }

    private func isWaiting(_ patience: Errand.Patience) -> Bool {
        switch patience {
        case .none: return false
        case .milliseconds(let some): return condition.wait(seconds: Double(some) / 1_000)
        case .endless:
            return condition.wait(seconds: .infinity)
        }
    }

    private func recall(_ threads: Int) {
        condition.lock()
        recalls += threads
        condition.broadcast()
        condition.unlock()
    }

    /// Puts parcels down together and returns once somebody has brought them.
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

@Suite("Errands of threads that wait")
struct ErrandTests {
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

    /// Starts a thread that takes elements until the queue is closed.
    private func startTaker(
        _ name: String = "", of queue: BlockingQueue<Int>, _ taken: Taken, interrupted: @escaping @Sendable () -> Void = {}
    ) {
        start(name) {
            var seen = 0
            while true {
                switch queue.pop(unlessInterruptedSince: &seen) {
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
        let queue = BlockingQueue<Int>(limit: 64)
        let (brought, taken) = (Taken(), Taken())
        let door = Doorstep { parcel in
            brought.note(parcel, by: here())
            try? queue.push(parcel)
        }
        queue.lend(door.errand)
        let together = (0..<50).map { _ in Signal() }
        for name in ["one", "two"] {
            start(name) {
                while let element = queue.pop() {
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
        queue.endErrand()
        queue.close()
        group.wait()
    }

    @Test("everything is taken once, wherever it comes from and whoever is called for it")
    func everything() {
        let (sources, each) = (4, 400)
        let queue = BlockingQueue<Int>(limit: 2 * sources * each)
        let taken = Taken()
        let door = Doorstep { try? queue.push($0) }
        queue.lend(door.errand)
        for name in ["one", "two", "three"] {
            startTaker(name, of: queue, taken)
        }
        start { queue.standIn() }
        for source in 0..<sources {
            let own = source * each..<(source + 1) * each
            start { for element in own { try? queue.push(element) } }
            start {
                for element in stride(from: own.lowerBound, to: own.upperBound, by: 2) {
                    door.put([sources * each + element, sources * each + element + 1])
                    if element % 50 == 0 { queue.interrupt() }
                }
            }
        }
        taken.wait(for: 2 * sources * each)
        #expect((0..<2 * sources * each).allSatisfy { taken[$0] != nil })
        queue.endErrand()
        queue.close()
        group.wait()
        #expect(queue.count == 0)
    }

    @Test("an element from elsewhere, an interruption and the end call back a thread that is away")
    func recall() {
        let queue = BlockingQueue<Int>(limit: 64)
        let door = Doorstep { _ in }
        queue.lend(door.errand)
        let (taken, interrupted) = (Taken(), Signal())
        startTaker(of: queue, taken, interrupted: interrupted.send)
        door.await(1)
        try? queue.push(1)
        taken.wait(for: 1)
        door.await(1)
        queue.interrupt()
        interrupted.wait()
        door.await(1)
        queue.close()
        group.wait()
    }

    @Test("a thread stands in when none of the others comes, and no longer")
    func standIn() {
        let queue = BlockingQueue<Int>(limit: 64)
        let runner = Locked<[String]>([])
        let (taken, done) = (Taken(), Signal())
        let door = Doorstep { parcel in
            runner.withLock { $0.append(here()) }
            try? queue.push(parcel)
        }
        queue.lend(door.errand)
        for _ in 1...2 {
            start("taker") {
                while let element = queue.pop() {
                    taken.note(element, by: "taker")
                    done.wait()
                }
            }
        }
        start("stand-in") {
            queue.standIn()
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
        queue.endErrand()
        queue.close()
        group.wait()
    }

    @Test("who is held up on the errand is known, stood in for, and nobody waits for it")
    func heldUp() {
        let queue = BlockingQueue<Int>(limit: 64)
        let (holding, held, released, interrupted) = (Signal(), Signal(), Signal(), Signal())
        let taken = Taken()
        let door = Doorstep { parcel in
            guard parcel == 0 else { return _ = try? queue.push(parcel) }
            held.send()
            holding.wait()
            released.send()
        }
        queue.lend(door.errand)
        startTaker("held up", of: queue, taken, interrupted: interrupted.send)
        // Or the one who stands in might be there first, and be held up.
        door.await(1)
        start("stand-in") { queue.standIn() }
        start { door.put([0]) }
        held.wait()
        #expect(queue.errandsUnderWay.count == 1)
        let before = queue.errandsUnderWay
        // Brought by the one who stands in, for whom nobody else is left.
        door.put([1])
        #expect(queue.count == 1 && queue.errandsUnderWay.isSuperset(of: before))
        startTaker("other", of: queue, taken, interrupted: interrupted.send)
        taken.wait(for: 1)
        door.await(1)
        queue.interrupt()
        interrupted.wait()
        door.put([2])
        taken.wait(for: 1)
        #expect(taken[1] == "other" && taken[2] == "other" && queue.errandsUnderWay.isSuperset(of: before))
        holding.send()
        released.wait()
        interrupted.wait()
        #expect(queue.errandsUnderWay.isDisjoint(with: before))
        queue.endErrand()
        queue.close()
        group.wait()
    }

    @Test("a thread that always finds something in the queue looks after the errand in between")
    func look() {
        let queue = BlockingQueue<Int>(limit: 8)
        let runner = Locked<[String]>([])
        let isOver = Locked(false)
        let door = Doorstep { _ in runner.withLock { $0.append(here()) } }
        queue.lend(door.errand)
        start("taker") {
            while let element = queue.pop() {
                // There is always a next one.
                if !isOver.withLock({ $0 }) { try? queue.push(element) }
            }
        }
        start { queue.standIn() }
        for element in 1...8 { try? queue.push(element) }
        var puts = 0
        while puts < 10_000, runner.withLock({ $0.last }) != "taker" || queue.count < 7 {
            door.put([puts])
            puts += 1
        }
        #expect(runner.withLock { $0.last } == "taker")
        isOver.withLock { $0 = true }
        queue.endErrand()
        queue.close()
        group.wait()
    }
}
