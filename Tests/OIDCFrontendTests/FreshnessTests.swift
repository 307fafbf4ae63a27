import AgentProtocol
import Logging
import NIOHTTP1
import Platform
import ServiceLifecycle
import TestSupport
import Testing

@testable import OIDCFrontend

@Suite("How fresh what is served is, where agents share a store")
struct FreshnessTests {
    private static let second: Int64 = 1_000_000_000
    let clock = TestClock()
    let uptime = TestUptime()
    let records = LogRecords()

    /// What is served of one issuer that a shared store confirmed at second 0 of both clocks.
    private static func confirmed(agents: [String] = ["agent"], maxAge: Int = 300) -> Publication {
        var publication = Publication(agents: agents)
        _ = publication.meet("first", by: 0, namesIssuers: true)
        _ = publication.take(discovery(of: "demo", [url("a", maxAge: maxAge)]), from: 0, at: moment(0))
        publication.agents[0].hear(.shared(confirmedSecondsAgo: 0), sentAt: 0)
        publication.hearOut(0, at: moment(0), uptime: 0)
        return publication
    }

    @Test(
        "it is stale two minutes after the store confirmed it, or as given, by the clock that nobody sets",
        arguments: [
            (0, nil, true), (120, nil, true), (121, nil, false), (3_600, 3_600, true), (3_601, 3_600, false), (30, 30, true),
            (31, 30, false),
        ] as [(Int64, Int64?, Bool)])
    func limit(seconds: Int64, staleAfter: Int64?, isReady: Bool) {
        let publication = Self.confirmed()
        // The wall clock may show anything meanwhile.
        for wall: Int64 in [0, -86_400, 86_400] {
            let readiness = publication.readiness(at: moment(wall), uptime: seconds * Self.second, staleAfter: staleAfter)
            #expect((readiness == .ready) == isReady)
        }
        // What began of a second counts.
        let justAfter = publication.readiness(at: moment(0), uptime: seconds * Self.second + 1, staleAfter: staleAfter)
        #expect((justAfter == .ready) == (isReady && seconds != staleAfter ?? 120))
    }

    @Test("the reason names each agent and how old its word is")
    func reason() {
        #expect(
            Self.confirmed().readiness(at: moment(0), uptime: 130 * Self.second, staleAfter: nil).reason
                == "what is served was last confirmed 130 s ago; agent: 130 s ago")
        #expect(
            Self.confirmed(agents: ["/run/a.sock", "/run/b.sock"])
                .readiness(at: moment(0), uptime: 130 * Self.second, staleAfter: nil).reason
                == "what is served was last confirmed 130 s ago; /run/a.sock: 130 s ago, /run/b.sock: no word yet")
        #expect(
            Publication(agents: ["a", "b"]).readiness(at: moment(0), uptime: 0, staleAfter: nil).reason
                == "what is served was never confirmed; a: no word yet, b: no word yet")
    }

    @Test("a confirmation counts from when the request was sent, however long the answer took, and never goes back")
    func sentAt() {
        var publication = Self.confirmed()
        publication.agents[0].hear(.shared(confirmedSecondsAgo: 3), sentAt: 50 * Self.second)
        publication.hearOut(0, at: moment(59), uptime: 59 * Self.second)
        #expect(publication.asOf == 47 * Self.second && publication.confirmedAt == wire(47))
        publication.agents[0].hear(.shared(confirmedSecondsAgo: 40), sentAt: 60 * Self.second)
        publication.hearOut(0, at: moment(60), uptime: 60 * Self.second)
        #expect(publication.asOf == 47 * Self.second)
        publication.agents[0].hear(.unsaid, sentAt: 70 * Self.second)
        publication.hearOut(0, at: moment(70), uptime: 70 * Self.second)
        #expect(publication.asOf == 47 * Self.second, "a refusal says nothing of it")
    }

    @Test(
        "an answer says how old it is, and what cannot be meant so says nothing",
        arguments: [
            (nil, .own), (0, .shared(confirmedSecondsAgo: 0)), (7, .shared(confirmedSecondsAgo: 7)), (-1, .unsaid),
            (.min, .unsaid), (.max, .shared(confirmedSecondsAgo: 3_155_760_000)),
        ] as [(Int?, StoreView)])
    func views(secondsAgo: Int?, view: StoreView) {
        #expect(StoreView(confirmedSecondsAgo: secondsAgo) == view)
        if case .shared(let seconds) = view { #expect(view.asOf(sentAt: 0) == -seconds * Self.second) }
    }

    @Test(
        "no document may be kept for longer than what is left, and never for less than nothing",
        arguments: [
            (0, 120), (1, 119), (90, 30), (119, 1), (120, 0), (121, 0), (100_000, 0),
        ] as [(Int64, Int64)])
    func maximumAge(seconds: Int64, age: Int64) throws {
        uptime.pass(.seconds(seconds))
        let publication = LivePublication(clock: clock.reading, uptime: uptime.reading)
        _ = publication.meet("first", by: 0, namesIssuers: true)
        publication.apply(discovery(of: "demo", [url("a"), url("b", maxAge: 10)]))
        publication.hear(.shared(confirmedSecondsAgo: 0), sentAt: 0, from: 0)
        publication.hearOut(0)
        let document = try #require(publication.document(at: jwksPath("a")))
        #expect(document.maximumAge == age)
        #expect(document.fields["Cache-Control"] == ["public, max-age=\(age)"])
        #expect(publication.document(at: discoveryPath("b"))?.maximumAge == min(10, age))
    }

    @Test("an agent whose store is its own vouches for an hour by the wall clock, and bounds no document's age")
    func ownStore() throws {
        let publication = LivePublication(clock: clock.reading, uptime: uptime.reading)
        _ = publication.meet("first", by: 0, namesIssuers: true)
        publication.apply(discovery(of: "demo", [url("a")]))
        publication.hear(.own, sentAt: 0, from: 0)
        publication.hearOut(0)
        uptime.pass(.seconds(100_000))
        clock.move(to: moment(3_600))
        #expect(publication.readiness == .ready)
        clock.move(to: moment(3_601))
        #expect(publication.readiness == .stale(seconds: 3_601))
        #expect(publication.document(at: jwksPath("a"))?.maximumAge == 300)
        #expect(publication.takeTurn() == nil && publication.ages.isEmpty)
    }

    @Test("a store that is moved takes its rule along, both ways")
    func moved() {
        var publication = Self.confirmed()
        publication.agents[0].hear(.own, sentAt: 200 * Self.second)
        publication.hearOut(0, at: moment(200), uptime: 200 * Self.second)
        #expect(publication.readiness(at: moment(3_800), uptime: 3_800 * Self.second, staleAfter: nil) == .ready)
        publication.agents[0].hear(.shared(confirmedSecondsAgo: 10), sentAt: 4_000 * Self.second)
        publication.hearOut(0, at: moment(4_000), uptime: 4_000 * Self.second)
        #expect(publication.asOf == 3_990 * Self.second)
        #expect(publication.readiness(at: moment(0), uptime: 4_111 * Self.second, staleAfter: nil).isStale)
    }

    @Test("after a restart without an agent it is as old as it was, by the wall clock, until one says more")
    func restart() throws {
        try withTemporaryDirectory { directory in
            let cache = DocumentCache(directory: directory)
            try cache.save([discovery(of: "demo", [url("a")])], deployment: "first")
            try cache.save(confirmedAt: wire(0), isShared: true)
            let kept = cache.load(logger: silent)
            #expect(kept.isShared && kept.confirmedAt == wire(0))
            let publication = LivePublication(kept, agents: ["a", "b"], clock: clock.reading, uptime: uptime.reading)
            clock.move(to: moment(100))
            #expect(publication.readiness == .ready)
            #expect(publication.document(at: jwksPath("a"))?.maximumAge == 20)
            clock.move(to: moment(121))
            #expect(
                publication.readiness.reason == "what is served was last confirmed 121 s ago; a: no word yet, b: no word yet")
            #expect(publication.document(at: jwksPath("a"))?.maximumAge == 0)
            clock.move(to: moment(-61))
            #expect(publication.readiness == .clockBehind(seconds: 61))
            #expect(publication.document(at: jwksPath("a"))?.maximumAge == 120)
            _ = publication.meet("first", by: 1, namesIssuers: true)
            _ = publication.take(discovery(of: "demo", [url("a")]), from: 1)
            publication.hear(.shared(confirmedSecondsAgo: 0), sentAt: 0, from: 1)
            publication.hearOut(1)
            #expect(publication.readiness == .ready)
        }
    }

    @Test("agents that are cut off from their store make it stale, which is said once, as is that it is over")
    func cutOff() async throws {
        let pauses = ManualPause()
        let agents = ["a", "b"].map { ScriptedSource([discovery(of: "demo", [url("a")])], name: $0, secondsAgo: 1) }
        let publication = LivePublication(agents: agents.map(\.name), clock: clock.reading, uptime: uptime.reading)
        let followers = agents.enumerated().map { place, source in
            AgentFollower(
                source: source, publication: publication, agent: place, pause: pauses.pause, random: { 0 },
                logger: records.logger)
        }
        let group = ServiceGroup(services: followers, logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await eventually("both followed") { records.messages.count == 2 }
            #expect(publication.readiness == .ready)
            uptime.pass(.seconds(130))
            // They are there and answer, and know what they knew.
            for agent in agents { agent.state.withLock { $0.secondsAgo = 131 } }
            let stale = "what is served is stale, serving it unready"
            for _ in 0..<4 {
                try await eventually("a sign of life") { pauses.end(.heartbeat) }
                try await eventually("said") { records.messages.contains(stale) }
            }
            #expect(publication.readiness.reason == "what is served was last confirmed 131 s ago; a: 131 s ago, b: 131 s ago")
            #expect(publication.jwks("a") == jwksBody("k1"))
            #expect(publication.ages.map(\.name) == ["a", "b"])
            #expect(records.messages.count { $0 == stale } == 1)
            agents[1].state.withLock { $0.secondsAgo = 2 }
            try await eventually("fresh again") {
                pauses.end(.heartbeat)
                return records.messages.last == "what is served is confirmed again"
            }
            #expect(publication.readiness == .ready)
            #expect(records.messages.count { $0 == "what is served is confirmed again" } == 1)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test("an agent without issuers says how fresh that is when it is first followed")
    func withoutIssuers() async throws {
        let (pauses, agent) = (ManualPause(), ScriptedSource([], secondsAgo: 500))
        let publication = LivePublication(clock: clock.reading, uptime: uptime.reading)
        let follower = AgentFollower(
            source: agent, publication: publication, pause: pauses.pause, random: { 0 }, logger: records.logger)
        let following = Task { try await follower.run() }
        try await eventually("followed") { records.messages.contains("following the agent") }
        #expect(publication.readiness == .unconfirmed(seconds: 500, agents: publication.ages))
        following.cancel()
        _ = await following.result
    }
}
