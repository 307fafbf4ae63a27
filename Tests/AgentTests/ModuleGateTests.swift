import Foundation
import Platform
import Testing

@testable import Agent

@Suite("Who is inside the module")
struct UseGateTests {
    @Test("a closed gate lets nobody in, and an opened one does")
    func closing() {
        let gate = ModuleGate()
        #expect(gate.enter())
        gate.leave()
        #expect(gate.close(within: 0))
        #expect(!gate.enter())
        gate.open()
        #expect(gate.enter())
    }

    @Test("a gate that does not empty in time is open again")
    func timeout() {
        let gate = ModuleGate()
        #expect(gate.enter())
        #expect(!gate.close(within: 0.05))
        #expect(gate.enter())
        gate.leave()
        gate.leave()
        #expect(gate.close(within: 0))
    }

    @Test("closing waits for the last one inside", arguments: 1...20)
    func draining(round: Int) {
        let gate = ModuleGate()
        let isOutside = Locked(false)
        #expect(gate.enter())
        #expect(gate.enter())
        for pause in [0.001, 0.01] {
            Thread {
                Thread.sleep(forTimeInterval: pause)
                if pause == 0.01 { isOutside.withLock { $0 = true } }
                gate.leave()
            }.start()
        }
        #expect(gate.close(within: 30))
        #expect(isOutside.withLock { $0 })
    }
}

@Suite("Calls that are watched")
struct CallWatchTests {
    @Test("an overdue call is answered for once, its thread replaced, and it is stuck until it returns")
    func overdue() async {
        let clock = TestClock()
        let (answers, replacements) = (Locked(0), Locked(0))
        let watch = CallWatch(clock: clock.agentClock)
        let thread = WatchedThread(clock: clock.agentClock, limitSeconds: 10) { _ in replacements.withLock { $0 += 1 } }
        watch.add(thread)
        Thread { watch.run(every: 0.005) {} }.start()
        defer { watch.close() }

        #expect(thread.begin { answers.withLock { $0 += 1 } })
        clock.pass(10)
        #expect(watch.stuckCalls == 0)
        clock.pass(1)
        #expect(await eventually { replacements.withLock { $0 } == 1 })
        #expect(answers.withLock { $0 } == 1)
        #expect(watch.stuckCalls == 1)
        #expect(!thread.end())
        #expect(watch.stuckCalls == 0)
        #expect(!thread.begin())
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
        #expect(thread.begin(limitSeconds: 60) { Issue.record("answered for") })
        clock.pass(59)
        let before = looks.withLock { $0 }
        #expect(await eventually { looks.withLock { $0 } > before + 2 })
        #expect(thread.end())
        #expect(thread.finish())
    }
}
