import Platform

/// The line of the management thread: filled by tasks, which never wait, and emptied by a thread, which does. What is next is
/// for ``WaitingWork`` to say.
// Sendable: every access to the stored state happens while `condition` is locked.
final class WorkQueue<Element: Sendable>: @unchecked Sendable {
    private let condition = TimedCondition()
    private var waiting: WaitingWork<Element>
    private var isClosed = false
    private let clock: AgentClock

    enum Refusal: Error {
        case full
        case closed
    }

    /// - Parameter limit: how much may be awaited at a time.
    init(limit: Int, clock: AgentClock) {
        waiting = WaitingWork(limit: limit)
        self.clock = clock
    }

    private func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        condition.lock()
        defer { condition.unlock() }
        return try body()
    }

    /// Never waits.
    func push(_ element: Element, _ workClass: WorkClass) throws(Refusal) {
        let now = clock.monotonic()
        try locked { () throws(Refusal) in
            guard !isClosed else { throw .closed }
            guard waiting.add(element, workClass, at: now) else { throw .full }
            condition.broadcast()
        }
    }

    /// Waits for an element; `nil` once the queue is closed and empty.
    func pop() -> Element? {
        locked {
            while true {
                if let element = waiting.next(at: clock.monotonic()) { return element }
                if isClosed, waiting.count == 0 { return nil }
                _ = condition.wait(seconds: 3_600)
            }
        }
    }

    /// Waits for the given seconds, or until the queue is closed, or something comes to it.
    func pause(_ seconds: Double) {
        locked { if !isClosed { _ = condition.wait(seconds: seconds) } }
    }

    var isClosedNow: Bool { locked { isClosed } }

    /// Takes no more elements; what is queued is still handed out.
    func close() {
        locked {
            isClosed = true
            condition.broadcast()
        }
    }

    /// Has what a caller has come to wait for go before what is in the background.
    func promote(where isAwaited: (Element) -> Bool) {
        locked { if waiting.promote(at: clock.monotonic(), where: isAwaited) { condition.broadcast() } }
    }

    /// Takes out the elements for which this is true.
    func take(where isTaken: (Element) -> Bool) -> [Element] {
        locked { waiting.remove(where: isTaken) }
    }

    /// Nothing in the background is begun until `release()`: a caller is about to bring more.
    func reserve() {
        locked { waiting.reserve() }
    }

    func release() {
        locked {
            waiting.release()
            condition.broadcast()
        }
    }

    func count(of workClass: WorkClass) -> Int {
        locked { waiting.count(of: workClass) }
    }

    /// How long the line of each class is.
    var lengths: [WorkClass: LineLength] {
        let now = clock.monotonic()
        return locked {
            Dictionary(uniqueKeysWithValues: WorkClass.allCases.map { ($0, waiting.length(of: $0, at: now)) })
        }
    }
}
