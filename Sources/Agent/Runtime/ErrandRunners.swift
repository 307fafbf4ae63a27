import Glibc

/// The threads of a queue that are on an errand, and will take what they bring; and which of them are called back for what others
/// have brought. Whoever has one changes it under a lock of his own.
///
/// A call is heard by one thread, not by a certain one. What must not be missed is called for again until somebody comes.
struct ErrandRunners: Sendable {
    private struct Runner {
        let thread: pthread_t
        /// How many musters there had been when it went.
        let musters: Int
        /// Whether it has found something to do, and so comes back without being called.
        var isBusy = false
        /// Whether it has brought an element, which is its own.
        var hasOwn = false
    }

    private var runners: [Runner] = []
    /// Who does something on the errand, runners and others, with a number for each time.
    private var busy: [(thread: pthread_t, number: Int)] = []
    private var count = 0
    /// Calls that nobody has heard yet.
    private var calls = 0
    private var musters = 0

    /// Elements that their own bringers will take.
    private var own: Int { runners.count(where: \.hasOwn) }
    /// Runners who would take an element if they were called.
    private var free: Int { runners.count { !$0.isBusy } }

    /// Whether none is left who would take an element.
    var areBusy: Bool { free == 0 }
    /// Whether there are several who would take an element and have not been called for one.
    var areMany: Bool { free - calls > 1 }
    /// Whether some have to come for a muster yet.
    var areMustering: Bool { late > 0 }

    private var late: Int { runners.count { $0.musters != musters && !$0.isBusy } }
    /// The numbers of what is being done.
    var underWay: Set<Int> { Set(busy.map(\.number)) }

    /// The calling thread goes on the errand.
    mutating func go() {
        runners.append(Runner(thread: pthread_self(), musters: musters))
    }

    /// The calling thread has come back.
    ///
    /// - Returns: whether it was the last to come for a muster.
    mutating func comeBack() -> Bool {
        guard let place else { return false }
        let runner = runners.remove(at: place)
        return runner.musters != musters && !areMustering
    }

    /// The calling thread, a runner or not, begins to do something, which may take it long.
    ///
    /// - Returns: whether it was the last that had to come for a muster.
    mutating func begin() -> Bool {
        count += 1
        busy.append((pthread_self(), count))
        guard let place else { return false }
        runners[place].isBusy = true
        return runners[place].musters != musters && !areMustering
    }

    /// The calling thread has done what there was to do, if anything.
    mutating func end() {
        let thread = pthread_self()
        busy.removeAll { $0.thread == thread }
    }

    /// An element is brought by the calling thread.
    ///
    /// - Returns: whether it is the thread's own, so that nobody has to be called for it.
    mutating func bring() -> Bool {
        guard let place, !runners[place].hasOwn else { return false }
        runners[place].hasOwn = true
        return true
    }

    /// Somebody, not necessarily a runner, has heard a call.
    mutating func hear() {
        // Others may have called, too.
        if calls > 0 { calls -= 1 }
    }

    /// Wants everybody back who is on the errand.
    mutating func muster() {
        musters += 1
    }

    /// How many calls are to be made now, since so many elements wait.
    mutating func call(for elements: Int) -> Int {
        let missing = max(min(late + max(elements - own, 0), free) - calls, 0)
        calls += missing
        return missing
    }

    private var place: Int? {
        let thread = pthread_self()
        return runners.firstIndex { $0.thread == thread }
    }
}
