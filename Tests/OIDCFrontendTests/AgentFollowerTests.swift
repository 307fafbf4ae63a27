import AgentProtocol
import Platform
import ServiceLifecycle
import TestSupport
import Testing

@testable import OIDCFrontend

@Suite("Following the agent")
struct AgentFollowerTests {
    let clock = TestClock()
    let pauses = ManualPause()
    let records = LogRecords()

    @Test("every issuer is fetched at first, and the publication is confirmed then", arguments: [0, 1, 16, 17, 60])
    func snapshot(count: Int) async throws {
        let agent = ScriptedSource((0..<count).map { discovery(of: "i\($0)", [url("u\($0)")]) })
        try await following(agent) { publication in
            try await eventually("confirmed") { publication.current.confirmedAt == wire(0) }
            #expect(publication.current.results.count == count)
            for index in 0..<count { #expect(publication.jwks("u\(index)") == jwksBody("k1")) }
            #expect(Set(agent.asked).count == count)
            #expect(agent.asked.count == count)
        }
    }

    @Test("a changed issuer is fetched and served, the others are not asked for again")
    func change() async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")]), discovery(of: "b", [url("b")])])
        try await following(agent) { publication in
            try await eventually("all of it") { publication.current.results.count == 2 && !records.messages.isEmpty }
            agent.change(discovery(of: "a", generation: 2, [url("a", [(wire(0), "k2+k1")])]))
            try await eventually("the rotation") { publication.jwks("a") == jwksBody("k2+k1") }
            agent.change(discovery(of: "new", [url("n")]))
            try await eventually("the new issuer") { publication.jwks("n") == jwksBody("k1") }
            #expect(agent.asked.sorted() == ["a", "a", "b", "new"])
            #expect(agent.attempts == 1)
        }
    }

    @Test("a deleted issuer is dropped without asking, one whose documents vanished after asking")
    func deletion() async throws {
        let agent = ScriptedSource([
            discovery(of: "a", [url("a")]), discovery(of: "b", [url("b")]), discovery(of: "c", [url("c")]),
        ])
        try await following(agent) { publication in
            try await eventually("all of it") { publication.current.results.count == 3 }
            agent.delete("a")
            try await eventually("a gone") { publication.jwks("a") == nil }
            try await eventually("a's end acknowledged") {
                agent.state.withLock { $0.served.contains { $0.name == "a" && $0.urls == 0 } }
            }
            agent.change(discovery(of: "b", generation: 2, []))
            try await eventually("b's documents gone") { publication.jwks("b") == nil }
            // Deleted between the notification and the question.
            agent.state.withLock { state in
                state.results["c"] = nil
                state.deleted["c"] = 9
            }
            agent.tell([WatchedIssuer(name: "c", generation: 9)])
            try await eventually("c gone") { publication.jwks("c") == nil }
            #expect(agent.asked.sorted() == ["a", "b", "b", "c", "c"])
        }
    }

    @Test("while the agent is away the last word is served; its return brings what changed meanwhile")
    func reconnect() async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")]), discovery(of: "b", [url("b")])])
        try await following(agent) { publication in
            try await eventually("following") { records.messages == ["following the agent"] }
            agent.goAway()
            for attempt in 2...5 {
                try await eventually("waiting") { pauses.durations(.backoff).count == attempt - 1 }
                #expect(publication.jwks("a") == jwksBody("k1"))
                try await eventually("the wait ended") { pauses.end(.backoff) }
                try await eventually("another attempt") { agent.attempts == attempt }
            }
            agent.state.withLock { state in
                state.results = ["b": discovery(of: "b", generation: 2, [url("b", [(wire(0), "k2")])])]
                state.deleted = ["a": 1]
            }
            clock.move(to: moment(500))
            agent.comeBack()
            try await eventually("following again") {
                pauses.end(.backoff)
                return publication.current.confirmedAt == wire(500) && records.messages.count == 3
            }
            #expect(publication.jwks("a") == nil)
            #expect(publication.jwks("b") == jwksBody("k2"))
            #expect(
                records.messages == [
                    "following the agent", "the agent is away, serving what it last said", "following the agent",
                ])
            agent.goAway()
            try await eventually("waiting anew") { pauses.durations(.backoff).last == .milliseconds(100) }
        }
    }

    @Test("an agent that is away at the start is waited for, and said once")
    func awayAtStart() async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")])])
        agent.goAway()
        try await following(agent) { publication in
            for attempt in 1...3 {
                try await eventually("another attempt") { agent.attempts == attempt && pauses.end(.backoff) }
            }
            #expect(records.messages == ["the agent is away, serving what it last said"])
            #expect(publication.readiness == .neverConfirmed)
            agent.comeBack()
            try await eventually("served") {
                pauses.end(.backoff)
                return publication.jwks("a") == jwksBody("k1")
            }
        }
    }

    @Test("the agent's sign of life confirms what is known")
    func heartbeat() async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")])])
        try await following(agent) { publication in
            try await eventually("confirmed") { publication.current.confirmedAt == wire(0) }
            for seconds in [10, 20] as [Int64] {
                clock.move(to: moment(seconds))
                try await eventually("the wait ended") { pauses.end(.heartbeat) }
                try await eventually("confirmed again") { publication.current.confirmedAt == wire(seconds) }
            }
            #expect(agent.asked == ["a"])
            #expect(pauses.durations(.heartbeat).first == .seconds(10))
        }
    }

    @Test("an agent that hangs counts as away: its connection is closed and another is tried")
    func hanging() async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")])])
        try await following(agent) { publication in
            try await eventually("following") { records.messages.count == 1 }
            agent.state.withLock { $0.hangs = true }
            clock.move(to: moment(50))
            try await eventually("the wait ended") { pauses.end(.heartbeat) }
            try await eventually("given up") {
                pauses.end(.deadline)
                return records.messages.count == 2
            }
            #expect(agent.open == 0)
            #expect(publication.current.confirmedAt == wire(0))
            #expect(publication.jwks("a") == jwksBody("k1"))
            agent.state.withLock { $0.hangs = false }
            try await eventually("following again") {
                pauses.end(.backoff)
                return publication.current.confirmedAt == wire(50)
            }
        }
    }

    @Test("an issuer the agent refuses keeps its documents, is asked for again, and holds back the confirmation")
    func refusal() async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")]), discovery(of: "b", [url("b")])])
        try await following(agent) { publication in
            try await eventually("confirmed") { publication.current.confirmedAt == wire(0) }
            clock.move(to: moment(10))
            agent.state.withLock { $0.refusals["a"] = .storeUnavailable }
            agent.change(discovery(of: "a", generation: 2, [url("a", [(wire(0), "k2")])]))
            try await eventually("refused") {
                records.messages.last == "the agent refuses an issuer's documents, serving what it last said"
            }
            agent.change(discovery(of: "b", generation: 2, [url("b", [(wire(0), "k2")])]))
            try await eventually("the other issuer goes on") { publication.jwks("b") == jwksBody("k2") }
            #expect(publication.jwks("a") == jwksBody("k1"))
            #expect(publication.current.confirmedAt == wire(0))
            agent.state.withLock { $0.refusals = [:] }
            try await eventually("fetched with a later sign of life") {
                pauses.end(.heartbeat)
                return publication.jwks("a") == jwksBody("k2") && publication.current.confirmedAt == wire(10)
            }
            #expect(agent.attempts == 1)
        }
    }

    @Test("an issuer in quarantine keeps its documents, and holds nothing back")
    func quarantine() async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")]), discovery(of: "b", [url("b")])])
        try await following(agent) { publication in
            try await eventually("confirmed") { publication.current.confirmedAt == wire(0) }
            clock.move(to: moment(10))
            agent.state.withLock { $0.refusals["a"] = .issuerQuarantined }
            agent.change(discovery(of: "a", generation: 2, [url("a", [(wire(0), "k2")])]))
            try await eventually("confirmed without it") { publication.current.confirmedAt == wire(10) }
            #expect(publication.jwks("a") == jwksBody("k1"))
            agent.state.withLock { $0.refusals = [:] }
            agent.change(discovery(of: "a", generation: 2, [url("a", [(wire(0), "k2")])]))
            try await eventually("served again") { publication.jwks("a") == jwksBody("k2") }
        }
    }

    @Test("shutdown ends it, whatever it waits for, and closes the connection", arguments: ["following", "hanging", "away"])
    func shutdown(during phase: String) async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")])])
        agent.state.withLock { state in
            state.hangs = phase == "hanging"
            state.isAway = phase == "away"
        }
        try await following(agent) { publication in
            try await eventually("under way") {
                switch phase {
                case "following": publication.current.confirmedAt != nil
                case "hanging": agent.open == 1
                default: !pauses.durations(.backoff).isEmpty
                }
            }
        }
        #expect(agent.open == 0)
    }

    @Test("waits double from 100 ms to 5 s, and chance takes off up to half", arguments: [(0.0, 1.0), (1.0, 0.5), (0.5, 0.75)])
    func backoff(random: Double, factor: Double) {
        var backoff = Backoff()
        let waits = (0..<8).map { _ in backoff.failed(random: random) }
        #expect(waits == [100, 200, 400, 800, 1600, 3200, 5000, 5000].map { .milliseconds($0) * factor })
        backoff.succeeded()
        #expect(backoff.failed(random: 0) == .milliseconds(100))
    }

    private func following(_ agent: ScriptedSource, _ body: (LivePublication) async throws -> Void) async throws {
        try await OIDCFrontendTests.following(agent, clock: clock, pauses: pauses, records: records, body)
    }
}

/// Runs `body` with what a follower of the agent publishes.
func following(
    _ agent: ScriptedSource, clock: TestClock, pauses: ManualPause, records: LogRecords,
    acceptance: @escaping @Sendable () -> Acceptance? = { nil }, _ body: (LivePublication) async throws -> Void
) async throws {
    let publication = LivePublication(clock: clock.reading, uptime: { 0 })
    let follower = AgentFollower(
        source: agent, publication: publication, acceptance: acceptance, pause: pauses.pause, random: { 0 },
        logger: records.logger)
    let group = ServiceGroup(services: [follower], logger: silent)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        try await body(publication)
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}
