import IssuerStore
import IssuerStoreSupport
import KeyLifecycle
import Platform
import TestSupport
import Testing

@Suite("The store that several share in memory, as a double")
struct SharedDoubleTests {
    private let store = InMemorySharedStore(deployment: .fixture, clock: { 0 })

    private func handle(_ agent: String) -> InMemorySharedStore.Handle {
        store.handle(agent: agent, incarnation: "\(agent)-1", clock: { 7 })
    }

    @Test("an agent that is cut off gets nothing from the store and does nothing to it; the others go on")
    func refusing() async throws {
        let (near, far) = (handle("a"), handle("b"))
        let issuer = try await near.create()
        far.set(.refusing)
        let away = StoreError(.unavailable, "", hint: "")
        await #expect(throws: away) { _ = try await far.head() }
        await #expect(throws: away) { _ = try await far.view() }
        await #expect(throws: away) { try await far.commit(issuer.deleting(at: .at(1)), fulfilling: []) }
        await #expect(throws: away) { try await far.watch(after: 0) { _ in } }
        #expect(try await near.view().contents.issuers == [issuer])
        far.set(.open)
        #expect(try await far.view().contents.issuers == [issuer])
    }

    @Test("a request that is held arrives when the line is open, with the time at which it was sent")
    func holdingRequests() async throws {
        let time = Locked<Int64>(1)
        let (near, far) = (
            handle("a"), store.handle(agent: "b", incarnation: "b-1", clock: { time.withLock { $0 } })
        )
        far.set(.holdingRequests)
        async let reading = far.view()
        await far.untilHeld()
        time.withLock { $0 = 100 }
        let issuer = try await near.create()
        far.set(.open)
        let view = try await reading
        #expect(view.contents.issuers == [issuer] && view.sentAt == 1)
        #expect(try await far.head().sentAt == 100)
    }

    @Test("a change whose answer is held has been made; when the answer never comes, it is undecided")
    func holdingAnswers() async throws {
        let (near, far) = (handle("a"), handle("b"))
        for end in [StoreLineState.open, .refusing] {
            far.set(.holdingAnswers)
            let key: UInt8 = end == .open ? 1 : 2
            let recording = Task { try await far.record(.number(key)) }
            await far.untilHeld()
            #expect(try await near.recognised([.number(key)]) == [.number(key)])
            far.set(end)
            let result = await recording.result
            if end == .open {
                try result.get()
            } else {
                #expect(throws: StoreError(.undecided, "", hint: "")) { try result.get() }
            }
            far.set(.open)
        }
    }

    @Test("an answer that is lost leaves the change made, a request that is lost does not")
    func losses() async throws {
        let agent = handle("a")
        let undecided = StoreError(.undecided, "", hint: "")
        agent.loseAnswers()
        await #expect(throws: undecided) { try await agent.record(.number(1)) }
        agent.loseRequests()
        await #expect(throws: undecided) { try await agent.record(.number(2)) }
        #expect(try await agent.snapshot().intents == [.number(1)])
        try await agent.record(.number(2))
    }

    @Test("a call that is held ends when its caller is cancelled")
    func cancellation() async throws {
        let agent = handle("a")
        agent.set(.holdingRequests)
        let reading = Task { try await agent.head() }
        await agent.untilHeld()
        reading.cancel()
        await #expect(throws: StoreError(.unavailable, "", hint: "")) { _ = try await reading.value }
    }

    @Test("hints can be dropped, and watches ended; what was missed is told at the next one")
    func hints() async throws {
        let (near, far) = (handle("a"), handle("b"))
        func watch(_ revision: Int64) -> (AsyncStream<StoreHint>, Task<Void, any Error>) {
            let (hints, told) = AsyncStream<StoreHint>.makeStream()
            return (
                hints,
                Task {
                    defer { told.finish() }
                    try await far.watch(after: revision) { told.yield($0) }
                }
            )
        }
        let ended = StoreError(.unavailable, "", hint: "")
        let (heard, first) = watch(try await far.view().revision)
        try await near.create()
        for await hint in heard {
            #expect(hint == .contents)
            break
        }
        far.endWatches()
        await #expect(throws: ended) { try await first.value }

        far.dropHints()
        let before = try await far.view().revision
        let (unheard, second) = watch(before)
        try await near.record(.number(9))
        far.set(.refusing)
        await #expect(throws: ended) { try await second.value }
        for await hint in unheard { Issue.record("\(hint)") }

        far.set(.open)
        far.dropHints(false)
        let (missed, third) = watch(before)
        var iterator = missed.makeAsyncIterator()
        #expect(await iterator.next() == .contents)
        third.cancel()
    }

    @Test("a backup that is put back is noticed by those who have seen more, until an operator has decided")
    func restoring() async throws {
        let (old, new) = (handle("a"), handle("b"))
        let issuer = try await old.create()
        let backup = store.backup()
        try await old.record(.number(2))
        _ = try await old.apply(issuer.publishingStandby(.number(2), at: .at(1)), fulfilling: 2)
        #expect(try await old.view().regressions.isEmpty)
        store.restore(backup)
        #expect(try await old.view().regressions.contains(.generation(issuer: "demo", known: 2, now: 1)))
        #expect(try await new.view().regressions.isEmpty)
        try await new.settle(Settlement(changes: [], token: TokenIdentity(label: "t", serial: "1")))
        #expect(try await old.view().regressions.isEmpty)
    }

    @Test("what somebody edits shows in the view and not in head")
    func editing() async throws {
        let agent = handle("a")
        try await agent.create()
        let head = try await agent.head().head
        store.edit { $0[.demo] = nil }
        store.setUnreadable([.other: "its seal is wrong"])
        let view = try await agent.view()
        #expect(view.contents.issuers.isEmpty && view.head == head && view.unreadable == [.other: "its seal is wrong"])
    }
}
