import Foundation
import Platform

/// A bounded queue between tasks, which never wait, and workers, which do: see ``TurnQueue``.
///
/// While the queue is empty its workers are parked at a poll source, if there is one. A worker that comes back with something in
/// the queue takes that: so what it submits is not handed from one thread to another. While all are busy they poll in between, and
/// when they do not come to that, a backup poller does, which takes nothing.
// Sendable: every access to the stored state happens while `condition` is locked.
final class Crew<Element: Sendable>: @unchecked Sendable {
    // One lock for the queue and the parked workers: a worker parks only while there is nothing for it, and what comes then finds
    // it parked.
    private let condition = NSCondition()
    private var queue: TurnQueue<Element>
    private var source: PollSource?
    private var parked = ParkedWorkers()
    /// Whether no worker is to poll any more; the source is let go when all have come back.
    private var isPollingEnding = false
    /// How often a worker has gone to the source.
    private var polls = 0
    /// How many elements have been taken since then.
    private var takenSincePoll = 0
    private var isBackupAsleep = false
    private let backupBell = Signal()
    /// For workers that pause: a condition of their own, since an element's signal wakes one thread, which must be one that takes
    /// it.
    let pauses = Pauses()

    typealias Refusal = TurnQueue<Element>.Refusal
    typealias Next = TurnQueue<Element>.Next

    init(limit: Int) {
        queue = TurnQueue(limit: limit)
    }

    /// Elements that are taken one after the other before a worker polls in between.
    private static var mostInARow: Int { 4 }

    private func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        condition.lock()
        defer { condition.unlock() }
        return try body()
    }

    // MARK: - For those that have something to be done

    /// Never waits.
    ///
    /// - Returns: an element of another owner that had to go for this one, and is to be told so.
    func push(_ element: Element, of owner: UInt32) throws(Refusal) -> Element? {
        condition.lock()
        defer { condition.unlock() }
        switch try queue.add(element, of: owner) {
        case .taken:
            announce()
            return nil
        case .takenInstead(let displaced):
            // There are as many as before, and each has had its signal.
            return displaced
        }
    }

    /// Everything that waits, now.
    func takeAll() -> [Element] { locked { queue.takeAll() } }

    /// Takes out the elements for which this is true, each owner's in their order.
    func take(where isTaken: (Element) -> Bool) -> [Element] { locked { queue.take(where: isTaken) } }

    var count: Int { locked { queue.count } }

    /// Has every worker come that waits: it is told of the interruption, unless it finds an element.
    func interrupt() {
        locked {
            queue.interrupt()
            raiseBarrier()
        }
    }

    /// Takes no more elements; what is queued is still handed out. No worker pauses any more.
    func close() {
        locked {
            queue.close()
            raiseBarrier()
        }
        pauses.end()
    }

    var isClosed: Bool { locked { queue.isClosed } }

    // MARK: - For workers

    /// The interruptions there have been: a worker that starts has seen these.
    var interruptions: Interruptions { locked { queue.interruptions } }

    /// The next element for the calling worker, which waits for one, at the poll source if there is one.
    ///
    /// - Parameters:
    ///   - seen: the interruptions that the worker has seen. A later one ends the waiting, and is seen then.
    ///   - prepare: called once before the worker waits, or does anything else that may take long.
    func next(_ seen: inout Interruptions, beforeWaiting prepare: () -> Void = {}) -> Next {
        condition.lock()
        defer {
            // What a worker that was woken has taken may be another's own.
            wakeMissing()
            if parked.areNoneIdle { wakeBackup() }
            condition.unlock()
        }
        var isPrepared = false
        func prepareOnce() -> Bool {
            if isPrepared { return false }
            isPrepared = true
            unlocked(prepare)
            return true
        }
        while true {
            if takenSincePoll >= Self.mostInARow, queue.count > 0 {
                _ = prepareOnce()
                pollOnce()
            }
            if let next = queue.next(&seen) {
                if case .element = next { takenSincePoll += 1 }
                return next
            }
            // What has come while it prepared is taken first.
            if !prepareOnce() { wait() }
        }
    }

    // MARK: - Waiting and polling, with `condition` locked

    private func unlocked<Result>(_ body: () -> Result) -> Result {
        condition.unlock()
        defer { condition.lock() }
        return body()
    }

    private func wait() {
        // A worker that has come for a barrier is not to consume the wakeups that are for the others.
        guard let source, !isPollingEnding, !parked.areDraining else {
            wakeMissing()
            return condition.wait()
        }
        let worker = Worker.current
        parked.park(worker)
        // While other workers are there too, each takes one thing.
        poll(source, worker, isOneOnly: parked.areSeveralIdle, .endless)
        if parked.unpark(worker) { barrierReached() }
    }

    /// Does what there is to do at the source just now.
    private func pollOnce() {
        guard let source, !isPollingEnding else { return }
        poll(source, .current, isOneOnly: false, .none)
    }

    private func poll(_ source: PollSource, _ worker: Worker, isOneOnly: Bool, _ patience: PollSource.Patience) {
        polls += 1
        takenSincePoll = 0
        visit(source, worker, isOneOnly: isOneOnly, patience)
    }

    private func visit(_ source: PollSource, _ worker: Worker, isOneOnly: Bool, _ patience: PollSource.Patience) {
        let isWoken = unlocked { source.poll(isOneOnly, patience) { beginServing(worker) } }
        parked.endServing(worker)
        if isWoken { parked.consumeWakeup() }
    }

    /// The worker has found something to do at the source. Not with `condition` locked.
    private func beginServing(_ worker: Worker) {
        locked {
            if parked.beginServing(worker) { barrierReached() }
            if parked.areNoneIdle { wakeBackup() }
        }
    }

    /// There is one element more.
    private func announce() {
        // Each time: a signal may have been lost (glibc's bug 25847).
        guard source != nil else { return condition.signal() }
        if !parked.submitted(by: .current) { wakeMissing() }
    }

    /// Wakes parked workers for the elements that none comes for, and those that have not come to a barrier.
    private func wakeMissing() {
        guard let source else { return }
        let due = parked.wakeupsDue(for: queue.count)
        if due > 0 { source.wakeup(due) }
    }

    /// Has every worker come that waits.
    private func raiseBarrier() {
        parked.raiseBarrier()
        condition.broadcast()
        wakeMissing()
    }

    private func barrierReached() {
        if isPollingEnding { source = nil }
        condition.broadcast()
    }

    private func wakeBackup() {
        guard isBackupAsleep else { return }
        isBackupAsleep = false
        backupBell.send()
    }
}

extension Crew: IdleWorkers {
    func install(_ source: PollSource) {
        locked {
            self.source = source
            condition.broadcast()
        }
    }

    func endPolling() {
        locked {
            isPollingEnding = true
            // For the backup poller.
            source?.wakeup(1)
            raiseBarrier()
            if !parked.areDraining { barrierReached() }
            wakeBackup()
        }
    }

    var pollsUnderWay: Set<Int> { locked { parked.underWay } }

    func backUp() {
        condition.lock()
        defer { condition.unlock() }
        let worker = Worker.current
        var pace = BackupPace()
        while let source, !isPollingEnding {
            switch pace.next(polls: polls, areAllBusy: parked.areNoneIdle) {
            case .pause(let milliseconds): unlocked { Thread.sleep(forTimeInterval: Double(milliseconds) / 1_000) }
            case .sleep:
                isBackupAsleep = true
                unlocked(backupBell.wait)
            case .poll(let milliseconds):
                visit(source, worker, isOneOnly: false, .milliseconds(milliseconds))
                // The wakeup may have been meant for a worker.
                wakeMissing()
            }
        }
    }
}
