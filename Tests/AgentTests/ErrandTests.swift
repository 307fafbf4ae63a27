import Dispatch
import Foundation
import Platform
import Testing

@testable import Agent

/// An errand that lasts until it is recalled or has something to bring.
// Sendable: every access to the stored state happens while `condition` is locked.
private final class Doorstep: @unchecked Sendable {
    private let condition = NSCondition()
    private var parcels: [Int] = []
    private var isRecalled = false
    private var present = 0
    private var delivered = 0
    private let bring: @Sendable (Int) -> Void

    init(_ bring: @escaping @Sendable (Int) -> Void) {
        self.bring = bring
    }

    var errand: Errand {
        Errand(
            run: { [self] _ in
                condition.lock()
                present += 1
                condition.broadcast()
                while parcels.isEmpty && !isRecalled { condition.wait() }
                isRecalled = false
                let brought = parcels
                parcels = []
                present -= 1
                condition.broadcast()
                condition.unlock()
                for parcel in brought { bring(parcel) }
                condition.lock()
                delivered += brought.count
                condition.broadcast()
                condition.unlock()
            },
            recall: { [self] in
                condition.lock()
                isRecalled = true
                condition.broadcast()
                condition.unlock()
            })
    }

    /// Puts parcels down together and returns once somebody has brought them.
    func put(_ parcels: [Int]) {
        condition.lock()
        let target = delivered + parcels.count
        self.parcels += parcels
        condition.broadcast()
        while delivered < target { condition.wait() }
        condition.unlock()
    }

    /// Returns once somebody is there.
    func awaitSomebody() {
        condition.lock()
        while present == 0 { condition.wait() }
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

    private func start(_ body: @escaping @Sendable () -> Void) {
        group.enter()
        Thread.detachNewThread { [group] in
            body()
            group.leave()
        }
    }

    @Test("what a thread brings it takes itself, and others what is more than that")
    func own() {
        let queue = BlockingQueue<Int>(limit: 64)
        let taken = Taken()
        let door = Doorstep { try? queue.push($0) }
        queue.lend(door.errand)
        let together = (0..<50).map { _ in Signal() }
        func startTaker(_ name: String) {
            start {
                while let element = queue.pop() {
                    taken.note(element, by: name)
                    if element >= 100 { together[element / 2 - 50].wait() }
                }
            }
        }
        startTaker("one")
        for element in 0..<50 {
            door.put([element])
            taken.wait(for: 1)
        }
        startTaker("two")
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

    @Test("an element from elsewhere, an interruption and the end call back a thread that is away")
    func recall() {
        let queue = BlockingQueue<Int>(limit: 64)
        let door = Doorstep { _ in }
        queue.lend(door.errand)
        let (taken, interrupted) = (Taken(), Signal())
        start {
            var seen = 0
            while true {
                switch queue.pop(unlessInterruptedSince: &seen) {
                case .element(let element): taken.note(element, by: "")
                case .interrupted: interrupted.send()
                case .closed: return
                }
            }
        }
        door.awaitSomebody()
        try? queue.push(1)
        taken.wait(for: 1)
        door.awaitSomebody()
        queue.interrupt()
        interrupted.wait()
        door.awaitSomebody()
        queue.close()
        group.wait()
    }

    @Test("a thread stands in while all others are busy, and no longer")
    func standIn() {
        let queue = BlockingQueue<Int>(limit: 64)
        let runner = Locked<[String]>([])
        let (taken, done) = (Taken(), Signal())
        let door = Doorstep { parcel in
            runner.withLock { $0.append(Thread.current.name ?? "") }
            try? queue.push(parcel)
        }
        queue.lend(door.errand)
        for _ in 1...2 {
            start {
                Thread.current.name = "taker"
                while let element = queue.pop() {
                    taken.note(element, by: "taker")
                    done.wait()
                }
            }
        }
        start {
            Thread.current.name = "stand-in"
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
}
