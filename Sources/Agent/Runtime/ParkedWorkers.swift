/// The workers that are parked at a poll source, since they have nothing else to do, and will take what they submit; and which of
/// them are woken for what others have submitted. Its owner changes it under a lock.
///
/// A wakeup is consumed by one worker, not by a certain one. What must not be missed is woken for again until a worker comes.
struct ParkedWorkers: Sendable {
    private struct Parked {
        let worker: Worker
        /// How many barriers there had been when it parked.
        let barriers: Int
        /// Whether it has found something to do, and so comes back without being woken.
        var isServing = false
        /// Whether it has submitted an element, which is its own.
        var hasOwn = false
    }

    private var parked: [Parked] = []
    /// The workers that do something they have found at the source, parked ones and others, with a number for each time.
    private var serving: [(worker: Worker, number: Int)] = []
    private var count = 0
    /// Wakeups that no worker has consumed yet.
    private var wakeups = 0
    private var barriers = 0

    /// Elements that the workers which submitted them will take.
    private var own: Int { parked.count(where: \.hasOwn) }
    /// Workers that would take an element if they were woken.
    private var idle: Int { parked.count { !$0.isServing } }
    /// Workers that have not come to the last barrier yet, and have to.
    private var late: Int { parked.count { $0.barriers != barriers && !$0.isServing } }

    /// Whether none is left that would take an element.
    var areNoneIdle: Bool { idle == 0 }
    /// Whether there are several that would take an element and have not been woken for one.
    var areSeveralIdle: Bool { idle - wakeups > 1 }
    /// Whether a barrier waits for workers to come.
    var areDraining: Bool { late > 0 }
    /// The numbers of what is being done just now.
    var underWay: Set<Int> { Set(serving.map(\.number)) }

    /// A worker goes to the source to wait there.
    mutating func park(_ worker: Worker) {
        parked.append(Parked(worker: worker, barriers: barriers))
    }

    /// The worker has come back.
    ///
    /// - Returns: whether it was the last that a barrier waited for.
    mutating func unpark(_ worker: Worker) -> Bool {
        guard let place = place(of: worker) else { return false }
        return parked.remove(at: place).barriers != barriers && !areDraining
    }

    /// A worker, parked or not, has found something to do at the source, which may take it long.
    ///
    /// - Returns: whether it was the last that a barrier waited for: it comes by itself.
    mutating func beginServing(_ worker: Worker) -> Bool {
        count += 1
        serving.append((worker, count))
        guard let place = place(of: worker) else { return false }
        parked[place].isServing = true
        return parked[place].barriers != barriers && !areDraining
    }

    /// The worker has done what there was to do, if anything.
    mutating func endServing(_ worker: Worker) {
        serving.removeAll { $0.worker == worker }
    }

    /// A worker has submitted an element.
    ///
    /// - Returns: whether it will take the element itself, so that no other has to be woken for it.
    mutating func submitted(by worker: Worker) -> Bool {
        guard let place = place(of: worker), !parked[place].hasOwn else { return false }
        parked[place].hasOwn = true
        return true
    }

    /// A worker, not necessarily a parked one, has been woken.
    mutating func consumeWakeup() {
        // The source may be woken by others, too.
        if wakeups > 0 { wakeups -= 1 }
    }

    /// Has every worker come that is parked now. Those that park later are not concerned.
    mutating func raiseBarrier() {
        barriers += 1
    }

    /// How many wakeups are to be sent now, since so many elements wait.
    mutating func wakeupsDue(for elements: Int) -> Int {
        let due = max(min(late + max(elements - own, 0), idle) - wakeups, 0)
        wakeups += due
        return due
    }

    private func place(of worker: Worker) -> Int? {
        parked.firstIndex { $0.worker == worker }
    }
}
