import Foundation
import Platform
import Testing

@testable import Agent

@Suite("A heartbeat")
struct HeartbeatTests {
    @Test("that comes after the call is waited for, and one that came before counts for nothing")
    func next() async {
        let heart = Heartbeat()
        heart.beat()
        let isOver = Locked(false)
        let asked = AsyncStream<Void>.makeStream()
        let waiting = Task {
            await heart.next { asked.continuation.yield() }
            isOver.withLock { $0 = true }
        }
        for await _ in asked.stream { break }
        #expect(!isOver.withLock { $0 })
        heart.beat()
        await waiting.value
        #expect(isOver.withLock { $0 })
    }

    @Test("is heard by all that wait, and may come of asking for it")
    func all() async {
        let heart = Heartbeat()
        let asked = Locked(0)
        await withTaskGroup { group in
            for _ in 1...8 {
                group.addTask {
                    await heart.next {
                        let isLast = asked.withLock { asked in
                            asked += 1
                            return asked == 8
                        }
                        if isLast { heart.beat() }
                    }
                }
            }
        }
        #expect(asked.withLock { $0 } == 8)
    }

    @Test("is not waited for by a task that is cancelled")
    func cancelled() async {
        let heart = Heartbeat()
        let waiting = Task { await heart.next() }
        waiting.cancel()
        await waiting.value
    }
}

@Suite("What is under way")
struct InFlightCounterTests {
    @Test("is waited for to the last, by all that wait")
    func drained() async {
        let counter = InFlightCounter()
        await counter.drained()
        for _ in 1...3 { counter.begin() }
        let (asked, over) = (Locked(0), Locked(0))
        let waiting = (1...2).map { _ in
            Task {
                asked.withLock { $0 += 1 }
                await counter.drained()
                over.withLock { $0 += 1 }
            }
        }
        #expect(await eventually { asked.withLock { $0 } == 2 })
        for _ in 1...2 {
            counter.end()
            // Enough for one that would be resumed too early.
            try? await Task.sleep(for: .milliseconds(5))
        }
        #expect(over.withLock { $0 } == 0)
        counter.end()
        for task in waiting { await task.value }
        #expect(over.withLock { $0 } == 2)
        // It can go on.
        counter.begin()
        counter.end()
        await counter.drained()
    }
}

@Suite("Threads that are supervised")
struct ThreadSupervisorTests {
    private final class Log: Sendable {
        let lines = Locked<[String]>([])

        func note(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    @Test("are replaced by a successor, again and again, and by none that has none")
    func replaced() async throws {
        let (clock, log, hanging, gate) = (TestClock(), Log(), Signal(), ModuleGate())
        let supervisor = ThreadSupervisor(
            clock: clock.agentClock, limitSeconds: 0.1, withdrawn: { _ in log.note("withdrawn") }
        ) { givenUp in
            log.note("\(givenUp.name) given up, \(givenUp.stuckCalls) stuck" + (givenUp.isReplaced ? "" : ", for good"))
        }
        @Sendable func hang(_ name: String) -> @Sendable (WatchedThread) -> Void {
            { thread in
                _ = gate.call(watchedBy: thread) {
                    log.note("\(name) begins")
                    hanging.wait()
                }
            }
        }
        supervisor.start("a", hang("a"), replacedBy: hang("a'"))
        #expect(await eventually { log.all == ["a begins"] })
        supervisor.watch {}
        // Whoever comes after the first hangs too.
        for count in 1...2 {
            clock.pass(1)
            #expect(await eventually { log.all.count == 1 + 3 * count })
            // The successor does not wait for what is said of the one before.
            #expect(log.all[3 * count - 2] == "withdrawn")
            #expect(Set(log.all.suffix(2)) == ["a given up, \(count) stuck", "a' begins"])
        }
        #expect(supervisor.stuckCalls == 2)

        supervisor.start("b", hang("b"), replacedBy: nil)
        #expect(await eventually { log.all.last == "b begins" })
        supervisor.beginEnding()
        clock.pass(1)
        #expect(await eventually { log.all.count == 12 })
        #expect(Set(log.all.suffix(4)) == ["withdrawn", "a given up, 3 stuck", "b given up, 4 stuck, for good"])
        // Those that were given up are not waited for.
        await supervisor.ended()
        for _ in 1...4 { hanging.send() }
        #expect(await eventually { supervisor.stuckCalls == 0 })
        #expect(log.all.count == 12)
    }

    @Test("are waited for at the end")
    func ended() async {
        let clock = TestClock()
        let supervisor = ThreadSupervisor(clock: clock.agentClock, limitSeconds: 10, withdrawn: { _ in }) { _ in
            Issue.record("given up")
        }
        let (going, isOver) = (Signal(), Locked(false))
        supervisor.start(
            "a",
            { _ in
                going.wait()
                isOver.withLock { $0 = true }
            }, replacedBy: nil)
        supervisor.beginEnding()
        async let ended: Void = supervisor.ended()
        going.send()
        await ended
        #expect(isOver.withLock { $0 })
    }

    @Test("have a watch that is heard")
    func watched() async {
        let supervisor = ThreadSupervisor(clock: TestClock().agentClock, limitSeconds: 0.1, withdrawn: { _ in }) { _ in }
        let looks = Locked(0)
        supervisor.watch { looks.withLock { $0 += 1 } }
        await supervisor.heartbeat()
        #expect(looks.withLock { $0 } > 0)
        await supervisor.ended()
    }
}

@Suite("A limit of time")
struct TimeLimitTests {
    @Test("holds in a task that has been cancelled too: work that ends in order is given its time")
    func cancelled() async {
        let (isOver, goesOn) = (Locked(false), Signal())
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            await forAtMost(.seconds(60)) {
                await withCheckedContinuation { continuation in
                    NamedThread.start("work") {
                        goesOn.wait()
                        continuation.resume()
                    }
                }
                isOver.withLock { $0 = true }
            }
            return isOver.withLock { $0 }
        }
        task.cancel()
        goesOn.send()
        #expect(await task.value)
    }
}
