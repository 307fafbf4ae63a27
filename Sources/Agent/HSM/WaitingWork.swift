/// In which class work for the management thread waits.
enum WorkClass: String, CaseIterable, Hashable, Sendable {
    /// A caller waits for it.
    case awaited
    /// It makes a key ahead of its use.
    case generation
    /// It destroys a private key that is out of use.
    case destruction
}

/// How long a line is.
struct LineLength: Hashable, Sendable {
    var count = 0
    /// How long its head has been in it.
    var oldestSeconds: Int64 = 0
}

/// What waits for the management thread, and what is next: what a caller waits for, in the order it came, before all else.
/// The other classes, which are in the background, take turns, and get one piece done every few seconds however much is awaited:
/// a caller that lists keys all day keeps no issuer from its standby key.
///
/// A caller that needs several pieces one after the other *reserves* the thread for as long, so that nothing long is begun
/// between two of them.
struct WaitingWork<Element: Sendable>: Sendable {
    private struct Item: Sendable {
        let element: Element
        let since: Int64
    }

    private var awaited: Turns<WorkClass, Item>
    private var background = Turns<WorkClass, Item>(limit: .max)
    private var reservations = 0
    /// When the last piece in the background was taken, in nanoseconds of the monotonic clock.
    private var lastInBackground = Int64.min

    /// Nanoseconds for which awaited work goes before other work that waits too.
    static var patience: Int64 { 5_000_000_000 }

    /// - Parameter limit: how much may be awaited at a time. What is in the background has no bound: it is there all the same.
    init(limit: Int) {
        awaited = Turns(limit: limit)
    }

    var count: Int { awaited.count + background.count }

    func count(of workClass: WorkClass) -> Int {
        workClass == .awaited ? awaited.count : background.count(of: workClass)
    }

    func length(of workClass: WorkClass, at now: Int64) -> LineLength {
        guard let first = (workClass == .awaited ? awaited : background).first(of: workClass) else { return LineLength() }
        return LineLength(count: count(of: workClass), oldestSeconds: max(now - first.since, 0) / 1_000_000_000)
    }

    /// - Returns: false when as much is awaited already as may be.
    mutating func add(_ element: Element, _ workClass: WorkClass, at now: Int64) -> Bool {
        add(Item(element: element, since: now), workClass)
    }

    private mutating func add(_ item: Item, _ workClass: WorkClass) -> Bool {
        let admission = workClass == .awaited ? awaited.add(item, of: workClass) : background.add(item, of: workClass)
        if case .taken = admission { return true }
        return false
    }

    mutating func next(at now: Int64) -> Element? {
        if isBackgroundDue(now) || (awaited.count == 0 && reservations == 0), let item = background.next() {
            lastInBackground = now
            return item.element
        }
        return awaited.next()?.element
    }

    /// Whether what is in the background has waited as long as it ever does.
    private func isBackgroundDue(_ now: Int64) -> Bool {
        let heads = [WorkClass.generation, .destruction].compactMap { background.first(of: $0)?.since }
        guard let oldest = heads.min() else { return false }
        return now - max(oldest, lastInBackground) >= Self.patience
    }

    /// Has what a caller has come to wait for wait among what is awaited.
    ///
    /// - Returns: whether there was any.
    mutating func promote(at now: Int64, where isAwaited: (Element) -> Bool) -> Bool {
        let promoted = background.remove { isAwaited($0.element) }
        // It is awaited from now on.
        for item in promoted where !add(Item(element: item.element, since: now), .awaited) {
            // No room: it goes on waiting where it was, as work that makes a key.
            _ = add(item, .generation)
        }
        return !promoted.isEmpty
    }

    /// Takes out the elements for which this is true.
    mutating func remove(where isRemoved: (Element) -> Bool) -> [Element] {
        (awaited.remove { isRemoved($0.element) } + background.remove { isRemoved($0.element) }).map(\.element)
    }

    mutating func reserve() { reservations += 1 }

    /// Ends one reservation.
    mutating func release() { reservations -= 1 }
}
