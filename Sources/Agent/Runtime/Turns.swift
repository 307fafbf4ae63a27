import DequeModule

/// What waits, by owner: owners take turns, and each one's elements keep their order.
///
/// One owner alone may fill it. When it is full, an owner that has less than others still gets in: the newest element of
/// the owner with the most goes. So none is kept out by what others have put in.
struct Turns<Owner: Hashable & Sendable, Element: Sendable>: Sendable {
    private let limit: Int
    private var lines: [Owner: Deque<Element>] = [:]
    /// The owners with something waiting, each once, in the order of their turns.
    private var owners = Deque<Owner>()
    private(set) var count = 0

    init(limit: Int) {
        self.limit = limit
    }

    enum Admission {
        case taken
        /// Taken in the place of this one, which must be told.
        case takenInstead(of: Element)
        /// The owner has as much as any may.
        case refused
    }

    /// O(1); when it is full and the owner is below its share, it looks once at each owner that waits.
    mutating func add(_ element: Element, of owner: Owner) -> Admission {
        guard count >= limit else {
            append(element, of: owner)
            return .taken
        }
        let own = lines[owner]?.count ?? 0
        guard own < max(limit / max(lines.count, 1), 1), let most = lines.max(by: { $0.value.count < $1.value.count }),
            most.value.count > own + 1, let displaced = removeNewest(of: most.key)
        else { return .refused }
        append(element, of: owner)
        return .takenInstead(of: displaced)
    }

    /// How many elements of an owner wait.
    func count(of owner: Owner) -> Int { lines[owner]?.count ?? 0 }

    /// The oldest element of an owner.
    func first(of owner: Owner) -> Element? { lines[owner]?.first }

    /// The oldest element of the owner whose turn it is. O(1).
    mutating func next() -> Element? {
        guard let owner = owners.popFirst(), let element = lines[owner]?.popFirst() else { return nil }
        count -= 1
        if lines[owner]?.isEmpty == true { lines[owner] = nil } else { owners.append(owner) }
        return element
    }

    /// Everything, in the order it would have been handed out.
    mutating func removeAll() -> [Element] {
        var removed: [Element] = []
        removed.reserveCapacity(count)
        while let element = next() { removed.append(element) }
        return removed
    }

    /// Takes out the elements for which this is true, each owner's in their order. Asks once for each: the answer may be another
    /// the next time.
    mutating func remove(where isRemoved: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        var remaining = Deque<Owner>()
        while let owner = owners.popFirst() {
            guard let line = lines[owner] else { continue }
            var kept = Deque<Element>()
            for element in line {
                if isRemoved(element) { removed.append(element) } else { kept.append(element) }
            }
            lines[owner] = kept.isEmpty ? nil : kept
            if !kept.isEmpty { remaining.append(owner) }
        }
        owners = remaining
        count -= removed.count
        return removed
    }

    private mutating func append(_ element: Element, of owner: Owner) {
        if lines[owner] == nil { owners.append(owner) }
        lines[owner, default: Deque()].append(element)
        count += 1
    }

    /// Of an owner that has two at least, so that its turn stays.
    private mutating func removeNewest(of owner: Owner) -> Element? {
        guard let element = lines[owner]?.popLast() else { return nil }
        count -= 1
        return element
    }
}
