/// What waits for workers: elements, whose owners take turns (``Turns``), until the queue is closed; and interruptions, which every
/// worker hears of. Its owner changes it under a lock.
struct TurnQueue<Element: Sendable>: Sendable {
    private var turns: Turns<UInt32, Element>
    private(set) var isClosed = false
    /// How many there have been.
    private(set) var interruptions = Interruptions()

    init(limit: Int) {
        turns = Turns(limit: limit)
    }

    enum Refusal: Error {
        case full
        case closed
    }

    enum Admission {
        case taken
        /// Taken in the place of another owner's element, which must be told.
        case takenInstead(of: Element)
    }

    /// What there is for a worker.
    enum Next {
        case element(Element)
        /// There is no element, and an interruption that the worker has not seen.
        case interrupted
        /// The queue is closed and empty.
        case closed
    }

    var count: Int { turns.count }

    mutating func add(_ element: Element, of owner: UInt32) throws(Refusal) -> Admission {
        guard !isClosed else { throw .closed }
        return switch turns.add(element, of: owner) {
        case .refused: throw .full
        case .taken: .taken
        case .takenInstead(let displaced): .takenInstead(of: displaced)
        }
    }

    /// - Parameter seen: the interruptions that the worker has seen.
    /// - Returns: `nil` when the worker has to wait.
    mutating func next(_ seen: inout Interruptions) -> Next? {
        if let element = turns.next() { return .element(element) }
        if isClosed { return .closed }
        guard seen != interruptions else { return nil }
        seen = interruptions
        return .interrupted
    }

    /// Everything that waits, now.
    mutating func takeAll() -> [Element] { turns.removeAll() }

    /// Takes out the elements for which this is true, each owner's in their order.
    mutating func take(where isTaken: (Element) -> Bool) -> [Element] { turns.remove(where: isTaken) }

    mutating func interrupt() { interruptions.count += 1 }

    /// Takes no more elements; what is queued is still handed out.
    mutating func close() { isClosed = true }
}

/// How often a queue has interrupted its workers, as one of them has seen it.
struct Interruptions: Hashable, Sendable {
    fileprivate var count = 0
}
