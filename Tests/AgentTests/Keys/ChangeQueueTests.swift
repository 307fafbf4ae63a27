import KeyLifecycle
import Platform
import Testing

@testable import Agent

/// A gate that changes stop at, and what they have done.
private actor Stage {
    private(set) var steps: [String] = []
    private var waiting: [String: CheckedContinuation<Void, Never>] = [:]
    private var opened: Set<String> = []

    /// Notes the step, and returns once it is opened.
    func perform(_ step: String) async {
        steps.append(step)
        guard opened.remove(step) == nil else { return }
        await withCheckedContinuation { waiting[step] = $0 }
    }

    func open(_ step: String) {
        if let continuation = waiting.removeValue(forKey: step) { continuation.resume() } else { opened.insert(step) }
    }

    func reached(_ step: String) async {
        while !steps.contains(step) { await Task.yield() }
    }
}

private struct Refusal: Error {}

@Suite("The changes of each issuer, one after the other")
struct ChangeQueueTests {
    private let demo = IssuerName("demo")!
    private let other = IssuerName("other")!
    private let stage = Stage()
    private let boosts = Locked(0)

    private func makeQueue() -> ChangeQueue {
        ChangeQueue { [boosts] in boosts.withLock { $0 += 1 } }
    }

    @Test("a change begins once every earlier one of its issuer has ended, failed or not, and waits for none of another")
    func order() async throws {
        let queue = makeQueue()
        let first = await queue.enqueue(demo) { [stage] in
            await stage.perform("first")
            throw Refusal()
        }
        await queue.enqueue(demo) { [stage] in await stage.perform("second") }
        await queue.enqueue(other) { [stage] in await stage.perform("other") }
        await stage.reached("first")
        await stage.reached("other")
        #expect(await !stage.steps.contains("second"))
        await stage.open("first")
        await #expect(throws: Refusal.self) { try await first.value }
        await stage.reached("second")
        for step in ["second", "other"] { await stage.open(step) }
        await queue.drain()
    }

    @Test("the end of the queue takes along what the last changes enqueue")
    func drain() async {
        let queue = makeQueue()
        await queue.enqueue(demo) { [stage, other] in
            await stage.open("later")
            await queue.enqueue(other) {
                for _ in 1...1_000 { await Task.yield() }
                await stage.perform("later")
            }
        }
        await queue.drain()
        #expect(await stage.steps == ["later"])
    }

    @Test("a caller's change makes those before it awaited until it begins, and boosts what is under way")
    func awaited() async throws {
        let queue = makeQueue()
        await queue.enqueue(demo) { [stage] in await stage.perform("background") }
        await stage.reached("background")
        #expect(!queue.isAwaited(demo) && boosts.withLock { $0 } == 0)
        async let answer = queue.run(demo) { [stage] in
            await stage.perform("asked")
            return 7
        }
        while !queue.isAwaited(demo) { await Task.yield() }
        #expect(!queue.isAwaited(other))
        while boosts.withLock({ $0 }) == 0 { await Task.yield() }
        await stage.open("background")
        await stage.reached("asked")
        #expect(!queue.isAwaited(demo), "it waits for itself no more")
        await stage.open("asked")
        #expect(try await answer == 7)
        #expect(boosts.withLock { $0 } == 1)
    }

    @Test("a change with none before it boosts nothing")
    func alone() async throws {
        let queue = makeQueue()
        #expect(try await queue.run(demo) { 1 } == 1)
        #expect(boosts.withLock { $0 } == 0)
    }

    @Test("once everything is awaited, so is what comes later")
    func everything() {
        let queue = makeQueue()
        queue.awaitEverything()
        #expect(queue.isAwaited(demo) && queue.isAwaited(other) && boosts.withLock { $0 } == 1)
    }

    @Test("a change runs to its end although its caller is gone")
    func cancelled() async {
        let queue = makeQueue()
        let caller = Task { [demo, stage] in
            try await queue.run(demo) {
                await stage.perform("begun")
                #expect(!Task.isCancelled)
                await stage.perform("ended")
            }
        }
        await stage.reached("begun")
        caller.cancel()
        for step in ["begun", "ended"] { await stage.open(step) }
        await queue.drain()
        #expect(await stage.steps == ["begun", "ended"])
    }
}
