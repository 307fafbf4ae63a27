/// In which class work for the management thread waits.
enum WorkClass: String, CaseIterable, Hashable, Sendable {
    /// Somebody waits for it.
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

/// What waits for the management thread, and what is next: what somebody waits for, in the order it came, before all else.
/// The other classes take turns, and get one piece done every few seconds however much is awaited: whoever lists keys all day
/// keeps no issuer from its standby key.
///
/// Somebody who needs several pieces one after the other *reserves* the thread for as long, so that nothing long is begun
/// between two of them.
struct WaitingWork<Element: Sendable>: Sendable {
    private struct Item: Sendable {
        let element: Element
        let since: Int64
    }

    private var awaited: Turns<WorkClass, Item>
    private var unawaited = Turns<WorkClass, Item>(limit: .max)
    private var reservations = 0
    /// When the last piece that nobody waited for was taken, in nanoseconds of the monotonic clock.
    private var lastUnawaited = Int64.min

    /// Nanoseconds for which awaited work goes before other work that waits too.
    static var patience: Int64 { 5_000_000_000 }

    /// - Parameter limit: how much may be awaited at a time. What nobody waits for has no bound: it is there all the same.
    init(limit: Int) {
        awaited = Turns(limit: limit)
    }

    var count: Int { awaited.count + unawaited.count }

    func count(of workClass: WorkClass) -> Int {
        workClass == .awaited ? awaited.count : unawaited.count(of: workClass)
    }

    func length(of workClass: WorkClass, at now: Int64) -> LineLength {
        guard let first = (workClass == .awaited ? awaited : unawaited).first(of: workClass) else { return LineLength() }
        return LineLength(count: count(of: workClass), oldestSeconds: max(now - first.since, 0) / 1_000_000_000)
    }

    /// - Returns: false when as much is awaited already as may be.
    mutating func add(_ element: Element, _ workClass: WorkClass, at now: Int64) -> Bool {
        add(Item(element: element, since: now), workClass)
    }

    private mutating func add(_ item: Item, _ workClass: WorkClass) -> Bool {
        let admission = workClass == .awaited ? awaited.add(item, of: workClass) : unawaited.add(item, of: workClass)
        if case .taken = admission { return true }
        return false
    }

    mutating func next(at now: Int64) -> Element? {
        if isUnawaitedDue(now) || (awaited.count == 0 && reservations == 0), let item = unawaited.next() {
            lastUnawaited = now
            return item.element
        }
        return awaited.next()?.element
    }

    /// Whether what nobody waits for has waited as long as it ever does.
    private func isUnawaitedDue(_ now: Int64) -> Bool {
        let heads = [WorkClass.generation, .destruction].compactMap { unawaited.first(of: $0)?.since }
        guard let oldest = heads.min() else { return false }
        return now - max(oldest, lastUnawaited) >= Self.patience
    }

    /// Has what somebody has come to wait for wait among what is awaited.
    ///
    /// - Returns: whether there was any.
    mutating func promote(at now: Int64, where isAwaited: (Element) -> Bool) -> Bool {
        let promoted = unawaited.remove { isAwaited($0.element) }
        // Somebody waits for it from now on.
        for item in promoted where !add(Item(element: item.element, since: now), .awaited) {
            // No room: it goes on waiting where it was, as work that makes a key.
            _ = add(item, .generation)
        }
        return !promoted.isEmpty
    }

    /// Takes out the elements for which this is true.
    mutating func remove(where isRemoved: (Element) -> Bool) -> [Element] {
        (awaited.remove { isRemoved($0.element) } + unawaited.remove { isRemoved($0.element) }).map(\.element)
    }

    mutating func reserve() { reservations += 1 }

    /// Ends one reservation.
    mutating func release() { reservations -= 1 }
}
