import Foundation

/// A bounded queue between tasks, which never wait, and threads, which do. Owners of elements take turns: see `Turns`.
// Sendable: every access to the stored state happens while `condition` is locked, and to `isRung` while `bell` is.
final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var turns: Turns<Element>
    private var isClosed = false
    private var interruptions = 0
    /// For threads that pause: one of their own, since an element's signal wakes one thread, which must be one that takes it.
    private let bell = NSCondition()
    private var isRung = false

    init(limit: Int) {
        turns = Turns(limit: limit)
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
            condition.signal()
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
        defer { condition.unlock() }
        var isPrepared = false
        while true {
            if let element = turns.next() { return .element(element) }
            if isClosed { return .closed }
            if seen != .min, seen != interruptions {
                seen = interruptions
                return .interrupted
            }
            if isPrepared {
                condition.wait()
            } else {
                condition.unlock()
                prepare()
                condition.lock()
                isPrepared = true
            }
        }
    }

    /// Wakes every thread that waits for an element and minds interruptions.
    func interrupt() {
        condition.lock()
        defer { condition.unlock() }
        interruptions += 1
        condition.broadcast()
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
        condition.broadcast()
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
