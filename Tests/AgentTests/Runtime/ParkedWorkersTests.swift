import Testing

@testable import Agent

@Suite("Parked workers")
final class ParkedWorkersTests {
    private let one = Worker(number: 1)
    private let two = Worker(number: 2)
    private let three = Worker(number: 3)
    private var parked = ParkedWorkers()

    private func park(_ workers: Worker...) {
        for worker in workers { parked.park(worker) }
    }

    /// Workers come back, and are done with what they did.
    private func unpark(_ worker: Worker) -> Bool {
        parked.endServing(worker)
        return parked.unpark(worker)
    }

    @Test("are woken for as many elements as wait, and once for each")
    func counted() {
        park(one, two, three)
        #expect(parked.wakeupsDue(for: 0) == 0)
        #expect(parked.wakeupsDue(for: 1) == 1)
        #expect(parked.wakeupsDue(for: 1) == 0, "one is on its way")
        #expect(parked.wakeupsDue(for: 2) == 1)
        #expect(parked.wakeupsDue(for: 9) == 1, "there is no fourth")
        #expect(parked.wakeupsDue(for: 9) == 0)
    }

    @Test("are woken again when a wakeup was consumed and its element still waits")
    func wokenAgain() {
        park(one, two)
        #expect(parked.wakeupsDue(for: 1) == 1)
        // By the backup poller, which takes nothing.
        parked.consumeWakeup()
        #expect(parked.wakeupsDue(for: 1) == 1)
        parked.consumeWakeup()
        #expect(!unpark(one))
        // It has taken the element.
        #expect(parked.wakeupsDue(for: 0) == 0)
        #expect(parked.wakeupsDue(for: 1) == 1)
        // A wakeup that others have sent leaves no debt.
        for _ in 1...3 { parked.consumeWakeup() }
        #expect(parked.wakeupsDue(for: 1) == 1)
    }

    @Test("take the first element they submit themselves, and others what is more than that")
    func own() {
        park(one, two)
        _ = parked.beginServing(one)
        let isOwn = parked.submitted(by: one)
        #expect(isOwn)
        #expect(parked.wakeupsDue(for: 1) == 0)
        let isSecondOwn = parked.submitted(by: one)
        #expect(!isSecondOwn)
        #expect(parked.wakeupsDue(for: 2) == 1)
        // Of a thread that is not parked nothing is known.
        let isOfOthersOwn = parked.submitted(by: three)
        #expect(!isOfOthersOwn)
        #expect(parked.wakeupsDue(for: 3) == 0, "two has been woken already, and one is busy")
        #expect(!unpark(one))
        #expect(!unpark(two))
        park(one)
        let isOwnAgain = parked.submitted(by: one)
        #expect(isOwnAgain, "it has come back since")
    }

    @Test("are busy while they serve, known by a number for each time, and not woken")
    func serving() {
        #expect(parked.areNoneIdle)
        park(one, two)
        #expect(!parked.areNoneIdle && parked.areSeveralIdle)
        _ = parked.beginServing(one)
        #expect(!parked.areNoneIdle && !parked.areSeveralIdle)
        let first = parked.underWay
        #expect(first.count == 1)
        // One that is not parked: it looks in between, or backs them up.
        _ = parked.beginServing(three)
        #expect(parked.underWay.count == 2 && !parked.areNoneIdle)
        #expect(parked.wakeupsDue(for: 5) == 1)
        _ = parked.beginServing(two)
        #expect(parked.areNoneIdle)
        #expect(parked.wakeupsDue(for: 9) == 0)
        #expect(!unpark(one))
        park(one)
        _ = parked.beginServing(one)
        #expect(parked.underWay.count == 3 && parked.underWay.isDisjoint(with: first))
        for worker in [one, two, three] { parked.endServing(worker) }
        #expect(parked.underWay.isEmpty)
    }

    @Test("are no longer several once all but one have been woken")
    func several() {
        park(one, two, three)
        #expect(parked.wakeupsDue(for: 1) == 1)
        #expect(parked.areSeveralIdle)
        #expect(parked.wakeupsDue(for: 2) == 1)
        #expect(!parked.areSeveralIdle)
    }

    @Test("all come to a barrier, but for those that serve, which come by themselves")
    func barrier() {
        park(one, two, three)
        _ = parked.beginServing(three)
        #expect(!parked.areDraining)
        parked.raiseBarrier()
        #expect(parked.areDraining)
        #expect(parked.wakeupsDue(for: 0) == 2)
        parked.consumeWakeup()
        #expect(!unpark(one))
        #expect(parked.areDraining)
        // Not concerned: it has parked since.
        park(one)
        #expect(parked.wakeupsDue(for: 0) == 0, "two is on its way")
        parked.consumeWakeup()
        #expect(parked.wakeupsDue(for: 0) == 1, "one may have consumed the wakeup of two")
        let isReached = unpark(two)
        #expect(isReached && !parked.areDraining)
        #expect(!unpark(one))
    }

    @Test("reach a barrier also when the last of them begins to serve")
    func barrierReachedByServing() {
        park(one, two)
        parked.raiseBarrier()
        #expect(!unpark(one))
        let isReached = parked.beginServing(two)
        #expect(isReached && !parked.areDraining)
        // An unknown one reaches none.
        parked.raiseBarrier()
        let isReachedByOther = parked.beginServing(three)
        #expect(!isReachedByOther)
        #expect(!unpark(three))
    }
}

@Suite("When the backup poller polls")
struct BackupPaceTests {
    @Test("once no worker has for a while, longer and longer, and from the start when one has")
    func pace() {
        var pace = BackupPace()
        #expect(pace.next(polls: 0, areAllBusy: true) == .pause(milliseconds: 2))
        let steps = (1...8).map { _ in pace.next(polls: 0, areAllBusy: true) }
        #expect(steps == [2, 4, 8, 16, 32, 64, 128, 128].map { .poll(milliseconds: $0) })
        #expect(pace.next(polls: 1, areAllBusy: true) == .pause(milliseconds: 2))
        #expect(pace.next(polls: 1, areAllBusy: true) == .poll(milliseconds: 2))
    }

    @Test("not while a worker is parked, and not at once when that is busy")
    func sleep() {
        var pace = BackupPace()
        _ = pace.next(polls: 7, areAllBusy: false)
        #expect(pace.next(polls: 7, areAllBusy: false) == .sleep)
        #expect(pace.next(polls: 7, areAllBusy: true) == .pause(milliseconds: 2))
        #expect(pace.next(polls: 7, areAllBusy: true) == .poll(milliseconds: 2))
    }
}
