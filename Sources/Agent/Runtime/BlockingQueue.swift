import Foundation
import Platform

/// A bounded queue between tasks, which never wait, and threads, which do. Owners of elements take turns: see `Turns`.
///
/// Threads may be on an errand while they wait. Who returns from it with something in the queue takes that: so what it brings is
/// not handed from one thread to another. While all are busy they look in between whether there is something to do on the
/// errand, and when they do not come to that, a thread stands in that takes nothing.
// Sendable: every access to the stored state happens while `condition` is locked, and to `isRung` while `bell` is.
final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var turns: Turns<UInt32, Element>
    private var isClosed = false
    private var interruptions = 0
    private var errand: Errand?
    private var runners = ErrandRunners()
    /// Whether nobody is to go on the errand any more; it is over when all have come back.
    private var isErrandEnding = false
    /// How often somebody has gone on the errand.
    private var visits = 0
    /// How many elements have been taken since then.
    private var taken = 0
    private var isStandInAsleep = false
    private let standInBell = Signal()
    /// For threads that pause: one of their own, since an element's signal wakes one thread, which must be one that takes it.
    private let bell = TimedCondition()
    private var isRung = false

    init(limit: Int) {
        turns = Turns(limit: limit)
    }

    /// Elements that are taken one after the other before somebody looks after the errand in between.
    private static var mostInARow: Int { 4 }
    /// Milliseconds without anybody going on the errand after which the thread that stands in goes, and for which it stays
    /// when there is nothing to do: longer and longer, while nobody else goes.
    private static var patience: Int { 2 }
    private static var longestStay: Int { 128 }

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
            announce()
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
    ///   - prepare: called once before the caller waits, or does anything else that may take long.
    func pop(unlessInterruptedSince seen: inout Int, beforeWaiting prepare: () -> Void = {}) -> Popped {
        condition.lock()
        defer {
            // What one who was called has taken may have been another one's own.
            callMissing()
            if runners.areBusy { wakeStandIn() }
            condition.unlock()
        }
        var isPrepared = false
        while true {
            if taken >= Self.mostInARow, turns.count > 0 {
                // It may take long.
                if !isPrepared { unlocked(prepare) }
                isPrepared = true
                go(isOneOnly: false, .none)
            }
            if let element = turns.next() {
                taken += 1
                return .element(element)
            }
            if isClosed { return .closed }
            if seen != .min, seen != interruptions {
                seen = interruptions
                return .interrupted
            }
            if !isPrepared {
                unlocked(prepare)
                isPrepared = true
            } else {
                wait()
            }
        }
    }

    // MARK: - Who waits and who is on the errand, with `condition` locked

    private func unlocked<Result>(_ body: () -> Result) -> Result {
        condition.unlock()
        defer { condition.lock() }
        return body()
    }

    private func wait() {
        // Who has come for a muster is not to hear the calls that are for the others.
        guard errand != nil, !isErrandEnding, !runners.areMustering else {
            callMissing()
            return condition.wait()
        }
        runners.go()
        // While others are there too, each takes one thing.
        go(isOneOnly: runners.areMany, .endless)
        if runners.comeBack() { allHaveCome() }
    }

    private func go(isOneOnly: Bool, _ patience: Errand.Patience) {
        guard let errand, !isErrandEnding else { return }
        visits += 1
        taken = 0
        run(errand, isOneOnly: isOneOnly, patience)
    }

    private func run(_ errand: Errand, isOneOnly: Bool, _ patience: Errand.Patience) {
        let hasHeardCall = unlocked { errand.run(isOneOnly, patience, begin) }
        runners.end()
        if hasHeardCall { runners.hear() }
    }

    /// The calling thread has found something to do on the errand. Not with `condition` locked.
    private func begin() {
        condition.lock()
        defer { condition.unlock() }
        if runners.begin() { allHaveCome() }
        if runners.areBusy { wakeStandIn() }
    }

    /// There is one element more.
    private func announce() {
        // Each time: a signal may have been lost (glibc's bug 25847).
        guard errand != nil else { return condition.signal() }
        if !runners.bring() { callMissing() }
    }

    /// Calls runners for the elements that nobody comes for, and those that have not come for a muster.
    private func callMissing() {
        guard let errand else { return }
        let missing = runners.call(for: turns.count)
        if missing > 0 { errand.recall(missing) }
    }

    /// Has every thread that waits come.
    private func muster() {
        runners.muster()
        condition.broadcast()
        callMissing()
    }

    private func allHaveCome() {
        if isErrandEnding { errand = nil }
        condition.broadcast()
    }

    private func wakeStandIn() {
        guard isStandInAsleep else { return }
        isStandInAsleep = false
        standInBell.send()
    }

    // MARK: - Errands

    /// Has the threads that wait do something meanwhile. Once.
    func lend(_ errand: Errand) {
        condition.lock()
        defer { condition.unlock() }
        self.errand = errand
        condition.broadcast()
    }

    /// Nobody begins with the errand any more.
    func endErrand() {
        condition.lock()
        defer { condition.unlock() }
        isErrandEnding = true
        // For the one who stands in.
        errand?.recall(1)
        muster()
        if !runners.areMustering { allHaveCome() }
        wakeStandIn()
    }

    /// What is being done on the errand just now, each with a number of its own.
    var errandsUnderWay: Set<Int> {
        condition.lock()
        defer { condition.unlock() }
        return runners.underWay
    }

    /// Does the errand whenever none of those who could take what it brings has come for a while. Returns once it has been ended.
    func standIn() {
        condition.lock()
        defer { condition.unlock() }
        var (seen, stay) = (-1, 0)
        while let errand, !isErrandEnding {
            if visits != seen {
                (seen, stay) = (visits, Self.patience)
                unlocked { Thread.sleep(forTimeInterval: Double(Self.patience) / 1_000) }
            } else if !runners.areBusy {
                isStandInAsleep = true
                unlocked(standInBell.wait)
                // Whoever has just become busy is given the same time as ever.
                seen = -1
            } else {
                run(errand, isOneOnly: false, .milliseconds(stay))
                // A call may have been meant for somebody else.
                callMissing()
                stay = min(2 * stay, Self.longestStay)
            }
        }
    }

    /// Wakes every thread that waits for an element and minds interruptions.
    func interrupt() {
        condition.lock()
        defer { condition.unlock() }
        interruptions += 1
        muster()
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

    /// Waits for the given seconds, or until the queue is closed or `wake()` is called.
    func pause(_ seconds: Double) {
        bell.lock()
        defer { bell.unlock() }
        if !isRung { _ = bell.wait(seconds: seconds) }
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
        muster()
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
}
