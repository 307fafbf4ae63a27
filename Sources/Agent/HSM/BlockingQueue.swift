import Foundation
import Platform

/// A bounded queue between tasks, which never wait, and threads, which do. Owners of elements take turns: see `Turns`.
///
/// Threads that wait may do an errand meanwhile, one of them at a time. Who returns from it with something in the queue takes
/// that, and leaves the errand to the next: so what it brings is not handed from one thread to another. A thread that takes
/// nothing stands in while all others are busy.
// Sendable: every access to the stored state happens while `condition` is locked, and to `isRung` while `bell` is.
final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var turns: Turns<Element>
    private var isClosed = false
    private var interruptions = 0
    /// Threads that wait for an element, and how many of them have been told to look.
    private var waiting = 0
    private var told = 0
    private var errand: Errand?
    private var runner = Runner.nobody
    private var isStandInWaiting = false
    private let standInBell = Signal()
    /// For threads that pause: one of their own, since an element's signal wakes one thread, which must be one that takes it.
    private let bell = NSCondition()
    private var isRung = false

    init(limit: Int) {
        turns = Turns(limit: limit)
    }

    /// Who is on the errand.
    private enum Runner {
        case nobody
        case standIn
        /// A thread that will take what it brings: the first element is its own.
        case taker(pthread_t, hasOwn: Bool)
    }

    enum Refusal: Error {
        case full
        case closed
    }

    /// Never waits. For a queue whose elements all have the same owner.
    func push(_ element: Element) throws(Refusal) {
        // An owner that is alone displaces nothing.
        _ = try push(element, of: 0)
    }

    /// Never waits.
    ///
    /// - Returns: an element of another owner that had to go for this one, and is to be told so.
    func push(_ element: Element, of owner: UInt32) throws(Refusal) -> Element? {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosed else { throw .closed }
        switch turns.add(element, of: owner) {
        case .refused: throw .full
        case .taken:
            callSomebody()
            return nil
        case .takenInstead(let displaced):
            // There are as many as before, and each has had its signal.
            return displaced
        }
    }

    /// Waits for an element; `nil` once the queue is closed and empty.
    func pop() -> Element? {
        var never = Int.min
        return switch pop(unlessInterruptedSince: &never) {
        case .element(let element): element
        case .closed, .interrupted: nil
        }
    }

    enum Popped {
        case element(Element)
        /// `interrupt()` was called, and there is no element.
        case interrupted
        /// The queue is closed and empty.
        case closed
    }

    /// As `pop()`, but also returns when `interrupt()` has been called since the caller last saw it.
    ///
    /// - Parameters:
    ///   - seen: how many interruptions the caller has seen; `Int.min` for one that none concerns.
    ///   - prepare: called once before the caller has to wait.
    func pop(unlessInterruptedSince seen: inout Int, beforeWaiting prepare: () -> Void = {}) -> Popped {
        condition.lock()
        defer {
            passErrandOn()
            condition.unlock()
        }
        var isPrepared = false
        while true {
            if let element = turns.next() { return .element(element) }
            if isClosed { return .closed }
            if seen != .min, seen != interruptions {
                seen = interruptions
                return .interrupted
            }
            if !isPrepared {
                condition.unlock()
                prepare()
                condition.lock()
                isPrepared = true
            } else if let errand, case .nobody = runner {
                run(errand, as: .taker(pthread_self(), hasOwn: false))
            } else {
                wait()
            }
        }
    }

    // MARK: - Who waits and who runs, with `condition` locked

    private func wait() {
        waiting += 1
        condition.wait()
        waiting -= 1
        if told > 0 { told -= 1 }
    }

    /// There is one element more. The thread that brings it takes the first itself.
    private func callSomebody() {
        if case .taker(let thread, hasOwn: false) = runner {
            if thread == pthread_self() {
                runner = .taker(thread, hasOwn: true)
                return
            }
            if !tellOne() { errand?.recall() }
        } else {
            _ = tellOne()
        }
    }

    /// Returns whether there was one who had not been told.
    private func tellOne() -> Bool {
        let isNew = waiting > told
        if isNew { told += 1 }
        // Also when all have been: a signal may have been lost (glibc's bug 25847).
        if waiting > 0 { condition.signal() }
        return isNew
    }

    private func run(_ errand: Errand, as who: Runner) {
        runner = who
        condition.unlock()
        errand.run(goesOn)
        condition.lock()
        runner = .nobody
    }

    /// Whether the runner goes on although there is more to do for it: what it has brought is not to wait for that while others
    /// could do the rest.
    private func goesOn() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        if case .taker(_, hasOwn: true) = runner { return waiting <= told }
        return true
    }

    /// Has somebody else go on with the errand, since the calling thread does not.
    private func passErrandOn() {
        guard errand != nil, case .nobody = runner, !tellOne(), isStandInWaiting else { return }
        isStandInWaiting = false
        standInBell.send()
    }

    // MARK: - Errands

    /// Has the threads that wait do something meanwhile.
    func lend(_ errand: Errand) {
        condition.lock()
        defer { condition.unlock() }
        self.errand = errand
        passErrandOn()
    }

    /// Nobody begins with the errand any more.
    func endErrand() {
        condition.lock()
        defer { condition.unlock() }
        errand?.recall()
        errand = nil
        isStandInWaiting = false
        standInBell.send()
    }

    /// Does the errand whenever all who could take what it brings are busy. Returns once it has been ended.
    func standIn() {
        condition.lock()
        defer { condition.unlock() }
        while let errand {
            if case .nobody = runner, waiting <= told {
                run(errand, as: .standIn)
            } else {
                // Whoever is told goes on with it, or passes it on.
                if case .nobody = runner { _ = tellOne() }
                isStandInWaiting = true
                condition.unlock()
                standInBell.wait()
                condition.lock()
            }
        }
    }

    /// Wakes every thread that waits for an element and minds interruptions.
    func interrupt() {
        condition.lock()
        defer { condition.unlock() }
        interruptions += 1
        wakeAll()
    }

    private func wakeAll() {
        told = waiting
        condition.broadcast()
        errand?.recall()
    }

    /// How many interruptions there have been.
    var interruptionCount: Int {
        condition.lock()
        defer { condition.unlock() }
        return interruptions
    }

    /// Everything that waits, now.
    func takeAll() -> [Element] {
        condition.lock()
        defer { condition.unlock() }
        return turns.removeAll()
    }

    /// Takes out the elements for which this is true, each owner's in their order.
    func take(where isTaken: (Element) -> Bool) -> [Element] {
        condition.lock()
        defer { condition.unlock() }
        return turns.remove(where: isTaken)
    }

    /// The same, of one owner alone.
    func take(of owner: UInt32, where isTaken: (Element) -> Bool) -> [Element] {
        condition.lock()
        defer { condition.unlock() }
        return turns.remove(of: owner, where: isTaken)
    }

    /// Waits for the given seconds, or until the queue is closed or `wake()` is called.
    func pause(_ seconds: Double) {
        bell.lock()
        defer { bell.unlock() }
        if !isRung { _ = bell.wait(until: Date(timeIntervalSinceNow: seconds)) }
    }

    var isClosedNow: Bool {
        condition.lock()
        defer { condition.unlock() }
        return isClosed
    }

    /// Ends the waiting of threads that pause: things may be better now.
    func wake() {
        bell.lock()
        defer { bell.unlock() }
        bell.broadcast()
    }

    /// Takes no more elements; what is queued is still handed out.
    func close() {
        condition.lock()
        defer { condition.unlock() }
        isClosed = true
        wakeAll()
        bell.lock()
        defer { bell.unlock() }
        isRung = true
        bell.broadcast()
    }

    var count: Int {
        condition.lock()
        defer { condition.unlock() }
        return turns.count
    }

    /// How many elements of an owner wait.
    func count(of owner: UInt32) -> Int {
        condition.lock()
        defer { condition.unlock() }
        return turns.count(of: owner)
    }
}
