import Foundation
import Platform
import Testing

@testable import Agent

private func isNotToBeCalled() { Issue.record("called") }

extension CallOutcome where Value: Sendable {
    /// What has been returned in time.
    fileprivate var value: Value? {
        if case .done(let value) = self { value } else { nil }
    }

    fileprivate var isOutOfUse: Bool {
        if case .outOfUse = self { true } else { false }
    }

    fileprivate var isOfAnotherGeneration: Bool {
        if case .anotherGeneration = self { true } else { false }
    }

    /// What a thread that has been given up came back with; the outer `nil` for one that has not been.
    fileprivate var late: Value?? {
        if case .givenUp(let late) = self { .some(late) } else { nil }
    }
}

extension WatchedThread {
    /// One that no watch looks at, unless the test does.
    fileprivate convenience init(_ clock: TestClock = TestClock(), replaced: Locked<Int> = Locked(0)) {
        self.init(clock: clock.agentClock, limitSeconds: 10) { _ in replaced.withLock { $0 += 1 } }
    }

    /// Has the watch find a call overdue, which is under way.
    fileprivate func giveUp(_ clock: TestClock) {
        clock.pass(11)
        giveUpIfOverdue(clock.agentClock.monotonic())
    }
}

@Suite("Who is inside the module")
struct ModuleGateTests {
    @Test("a closed gate lets nobody in, and an opened one does")
    func closing() {
        let gate = ModuleGate()
        let (alone, other) = (WatchedThread(), WatchedThread())
        #expect(gate.call(watchedBy: other) { 1 }.value == 1)
        let closed = gate.callAlone(watchedBy: alone, limit: .usual, within: 0) {
            #expect(gate.call(watchedBy: other) { isNotToBeCalled() }.isOutOfUse)
            #expect(!gate.callLate(other) { isNotToBeCalled() })
            return 2
        }
        #expect(closed.value == 2)
        #expect(gate.call(watchedBy: other) { 3 }.value == 3)
        #expect(gate.close(within: 0))
        #expect(gate.call(watchedBy: other) { isNotToBeCalled() }.isOutOfUse)
    }

    @Test("a gate that does not empty in time is open again")
    func timeout() {
        let gate = ModuleGate()
        let (alone, inside, other) = (WatchedThread(), WatchedThread(), WatchedThread())
        let outcome = gate.call(watchedBy: inside) {
            #expect(gate.callAlone(watchedBy: alone, limit: .usual, within: 0.05) { isNotToBeCalled() }.isOutOfUse)
            #expect(!gate.close(within: 0))
            return gate.call(watchedBy: other) { 1 }.value
        }
        #expect(outcome.value == 1)
        #expect(gate.close(within: 0))
    }

    @Test("closing waits for the last one inside", arguments: 1...20)
    func draining(round: Int) {
        let gate = ModuleGate()
        let isOutside = Locked(false)
        let entered = Signal()
        for pause in [0.001, 0.01] {
            Thread {
                let outcome = gate.call(watchedBy: WatchedThread()) {
                    entered.send()
                    Thread.sleep(forTimeInterval: pause)
                    if pause == 0.01 { isOutside.withLock { $0 = true } }
                    return true
                }
                #expect(outcome.value == true)
            }.start()
        }
        for _ in 1...2 { entered.wait() }
        #expect(gate.callAlone(watchedBy: WatchedThread(), limit: .usual, within: 30) { isOutside.withLock { $0 } }.value == true)
    }
}

@Suite("One call into the module")
struct ModuleCallTests {
    @Test("is left out where the module has been initialised anew, and no call begins then")
    func anotherGeneration() {
        let (gate, thread, clock) = (ModuleGate(), WatchedThread(), TestClock())
        let outcome = gate.call(watchedBy: thread, if: { false }) { isNotToBeCalled() }
        #expect(outcome.isOfAnotherGeneration)
        thread.giveUp(clock)
        #expect(!thread.isStuck && thread.finish())
        #expect(gate.close(within: 0))
    }

    @Test("leaves the gate before the watch ends, and comes with what it returned though its thread was given up")
    func late() {
        let (gate, clock, replaced, answered) = (ModuleGate(), TestClock(), Locked(0), Locked(0))
        let thread = WatchedThread(clock, replaced: replaced)
        let outcome = gate.call(watchedBy: thread, ifNever: { answered.withLock { $0 += 1 } }) {
            thread.giveUp(clock)
            thread.giveUp(clock)
            #expect(thread.isStuck)
            #expect(!gate.close(within: 0))
            return 7
        }
        #expect(outcome.late == .some(7))
        #expect(!thread.isStuck)
        #expect(answered.withLock { $0 } == 1 && replaced.withLock { $0 } == 1)

        // It calls no more, but to clear up; meanwhile it is stuck as before.
        func call() -> Int {
            isNotToBeCalled()
            return 0
        }
        #expect(gate.call(watchedBy: thread, call).late == .some(nil))
        #expect(gate.callAlone(watchedBy: thread, limit: .usual, within: 0, call).late == .some(nil))
        let isStuck = Locked(false)
        let isOpen = gate.callLate(thread) {
            #expect(!gate.close(within: 0))
            clock.pass(1)
            isStuck.withLock { $0 = thread.isStuck }
        }
        #expect(isOpen && isStuck.withLock { $0 } && !thread.isStuck)
        #expect(answered.withLock { $0 } == 1 && replaced.withLock { $0 } == 1)
        #expect(!thread.finish())
        #expect(gate.close(within: 0))
    }

    @Test("that has the module for itself lets others in again though its thread was given up")
    func lateAlone() {
        let (gate, clock) = (ModuleGate(), TestClock())
        let thread = WatchedThread(clock)
        let outcome = gate.callAlone(watchedBy: thread, limit: .seconds(60), within: 0) {
            thread.giveUp(clock)
            #expect(!thread.isStuck, "it may take longer than others")
            for _ in 1...5 { thread.giveUp(clock) }
            #expect(thread.isStuck)
        }
        #expect(outcome.late != nil)
        #expect(gate.call(watchedBy: WatchedThread()) { true }.value == true)
    }

    @Test("has the time its limit says", arguments: [(CallLimit.usual, 10), (.twice, 20), (.seconds(60), 60)])
    func limits(limit: CallLimit, seconds: Int) {
        let (gate, clock) = (ModuleGate(), TestClock())
        let thread = WatchedThread(clock)
        _ = gate.call(watchedBy: thread, limit: limit) {
            clock.pass(seconds)
            thread.giveUpIfOverdue(clock.agentClock.monotonic())
            #expect(!thread.isStuck)
            clock.pass(1)
            thread.giveUpIfOverdue(clock.agentClock.monotonic())
            #expect(thread.isStuck)
        }
    }
}

@Suite("Calls that are watched")
struct CallWatchTests {
    @Test("an overdue call is answered for once, its thread replaced, and it is stuck until it returns")
    func overdue() async {
        let clock = TestClock()
        let (answers, replacements) = (Locked(0), Locked(0))
        let watch = CallWatch(clock: clock.agentClock)
        let thread = WatchedThread(clock, replaced: replacements)
        watch.add(thread)
        Thread { watch.run(every: 0.005) {} }.start()
        defer { watch.close() }

        let (entered, leaving, left) = (Signal(), Signal(), Signal())
        Thread {
            let outcome = ModuleGate().call(watchedBy: thread, ifNever: { answers.withLock { $0 += 1 } }) {
                entered.send()
                leaving.wait()
                return true
            }
            #expect(outcome.late == .some(true))
            left.send()
        }.start()
        entered.wait()
        clock.pass(10)
        #expect(watch.stuckCalls == 0)
        clock.pass(1)
        #expect(await eventually { replacements.withLock { $0 } == 1 })
        #expect(answers.withLock { $0 } == 1)
        #expect(watch.stuckCalls == 1)
        leaving.send()
        left.wait()
        #expect(watch.stuckCalls == 0)
        #expect(!thread.finish())
        #expect(replacements.withLock { $0 } == 1)
    }

    @Test("a call that returns in time is not answered for, and each may have a limit of its own")
    func inTime() async {
        let clock = TestClock()
        let watch = CallWatch(clock: clock.agentClock)
        let thread = WatchedThread(clock: clock.agentClock, limitSeconds: 10) { _ in Issue.record("replaced") }
        let looks = Locked(0)
        watch.add(thread)
        Thread { watch.run(every: 0.005) { looks.withLock { $0 += 1 } } }.start()
        defer { watch.close() }
        let (entered, leaving, left) = (Signal(), Signal(), Signal())
        Thread {
            let outcome = ModuleGate().call(
                watchedBy: thread, limit: .seconds(60), ifNever: { Issue.record("answered for") }
            ) {
                entered.send()
                leaving.wait()
                return true
            }
            #expect(outcome.value == true)
            left.send()
        }.start()
        entered.wait()
        clock.pass(59)
        let before = looks.withLock { $0 }
        #expect(await eventually { looks.withLock { $0 } > before + 2 })
        leaving.send()
        left.wait()
        #expect(thread.finish())
    }
}
