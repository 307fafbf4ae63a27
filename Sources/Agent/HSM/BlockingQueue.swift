import Foundation

/// A bounded queue between tasks, which never wait, and threads, which do.
// Sendable: every access to the stored state happens while `condition` is locked.
final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private let limit: Int
    /// Elements taken before their places are freed.
    private static var compaction: Int { 256 }
    private var elements: [Element] = []
    /// Where the first element is; what is before it has been taken.
    private var head = 0
    private var isClosed = false

    init(limit: Int) {
        self.limit = limit
    }

    enum Refusal: Error {
        case full
        case closed
    }

    /// Never waits.
    func push(_ element: Element) throws(Refusal) {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosed else { throw .closed }
        guard elements.count - head < limit else { throw .full }
        elements.append(element)
        condition.signal()
    }

    /// Waits for an element; `nil` once the queue is closed and empty.
    func pop() -> Element? {
        condition.lock()
        defer { condition.unlock() }
        while head == elements.count {
            if isClosed { return nil }
            condition.wait()
        }
        let element = elements[head]
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= Self.compaction {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Everything that waits, now.
    func takeAll() -> [Element] {
        condition.lock()
        defer { condition.unlock() }
        defer {
            elements.removeAll()
            head = 0
        }
        return Array(elements[head...])
    }

    /// Waits for the given seconds, or until the queue is closed; returns whether it is closed and empty.
    func isFinished(within seconds: Double) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        if !isClosed { _ = condition.wait(until: Date(timeIntervalSinceNow: seconds)) }
        return isClosed && head == elements.count
    }

    /// Takes no more elements; what is queued is still handed out.
    func close() {
        condition.lock()
        defer { condition.unlock() }
        isClosed = true
        condition.broadcast()
    }

    var count: Int {
        condition.lock()
        defer { condition.unlock() }
        return elements.count - head
    }
}
