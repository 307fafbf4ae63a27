import AgentProtocol
import Logging
import Platform
import ServiceLifecycle
import TestSupport
import Testing

@testable import OIDCFrontend

/// Agents that share a store, followed by one frontend.
@Suite("Following several agents")
struct SeveralAgentsTests {
    let clock = TestClock()
    let uptime = TestUptime()
    let pauses = ManualPause()
    let records = LogRecords()
    let accepted = Locked(Acceptance?.none)

    private static func demo(_ generation: Int) -> DiscoveryResult {
        discovery(of: "demo", generation: generation, [url("a", [(wire(0), "k\(generation)")])])
    }

    private static func agent(_ name: String, _ results: [DiscoveryResult], secondsAgo: Int? = 0) -> ScriptedSource {
        ScriptedSource(results, name: name, secondsAgo: secondsAgo)
    }

    @Test(
        "the highest generation that any has said is served, and an agent that is behind is no doubt", arguments: [false, true])
    func highest(isFirstAhead: Bool) async throws {
        let (ahead, behind) = (Self.agent("ahead", [Self.demo(2)]), Self.agent("behind", [Self.demo(1)]))
        try await following(isFirstAhead ? [ahead, behind] : [behind, ahead]) { publication in
            try await eventually("both followed") { records.messages.count { $0 == "following the agent" } == 2 }
            try await eventually("ready") { publication.readiness == .ready && publication.jwks("a") == jwksBody("k2") }
            // What is served is told to both, whoever has said it.
            for agent in [ahead, behind] {
                try await eventually("told") { agent.served.last == ServedIssuer(name: "demo", generation: 2, urls: 1) }
            }
            for _ in 0..<3 { try await eventually("a sign of life") { pauses.end(.heartbeat) } }
            #expect(publication.jwks("a") == jwksBody("k2") && publication.readiness == .ready)
            #expect(!records.messages.contains { $0.contains("as it was before") })
            behind.change(Self.demo(3))
            try await eventually("the other one is ahead") { publication.jwks("a") == jwksBody("k3") }
            #expect(publication.readiness == .ready)
        }
    }

    @Test("a rotation by one agent is acknowledged to every other at once, which has not been asked about it")
    func acknowledgement() async throws {
        let agents = ["a", "b", "c"].map { Self.agent($0, [Self.demo(1)]) }
        try await following(agents) { publication in
            try await eventually("all followed") { agents.allSatisfy { !$0.served.isEmpty } && records.messages.count == 3 }
            let asked = agents.map(\.asked.count)
            agents[1].change(Self.demo(2))
            for agent in agents {
                try await eventually("told") { agent.served.last == ServedIssuer(name: "demo", generation: 2, urls: 1) }
            }
            #expect(zip(agents, asked).map { $0.asked.count - $1 } == [0, 1, 0])
            #expect(publication.jwks("a") == jwksBody("k2"))
        }
    }

    @Test("an issuer that one agent names is asked of the others, and what one of them knows to be deleted goes again")
    func namedByOne() async throws {
        let (first, second) = (Self.agent("first", []), Self.agent("second", []))
        try await following([first, second]) { publication in
            try await eventually("both followed") { records.messages.count == 2 }
            first.change(Self.demo(1))
            try await eventually("served, and asked of the other") { second.asked == ["demo"] && publication.jwks("a") != nil }
            #expect(publication.readiness == .ready)
            // The second has deleted another one already; the first is behind.
            second.state.withLock { $0.deleted["old"] = 4 }
            first.change(discovery(of: "old", generation: 4, [url("old")]))
            try await eventually("asked of the other") { second.asked.contains("old") }
            try await eventually("gone") { publication.jwks("old") == nil && publication.current.results["old"] == nil }
            for _ in 0..<3 { try await eventually("a sign of life") { pauses.end(.heartbeat) } }
            first.tell([WatchedIssuer(name: "old", generation: 4)])
            try await eventually("asked again") { first.asked.count { $0 == "old" } >= 2 }
            #expect(publication.current.results["old"] == nil && publication.readiness == .ready)
        }
    }

    @Test("while one is away what it said stays, and so it does when it comes back with less")
    func away() async throws {
        let (first, second) = (Self.agent("first", [Self.demo(1)]), Self.agent("second", [Self.demo(1)]))
        try await following([first, second]) { publication in
            try await eventually("both followed") { records.messages.count == 2 }
            first.change(Self.demo(2))
            try await eventually("served") { publication.jwks("a") == jwksBody("k2") }
            first.goAway()
            try await eventually("away") { records.messages.last == "the agent is away, serving what it last said" }
            #expect(publication.jwks("a") == jwksBody("k2") && publication.readiness == .ready)
            first.state.withLock { $0.results["demo"] = Self.demo(1) }
            first.comeBack()
            try await eventually("followed again") {
                pauses.end(.backoff)
                return records.messages.last == "following the agent"
            }
            #expect(publication.jwks("a") == jwksBody("k2"))
            #expect(first.served.last == ServedIssuer(name: "demo", generation: 2, urls: 1))
            second.change(Self.demo(3))
            try await eventually("served") { publication.jwks("a") == jwksBody("k3") && publication.readiness == .ready }
        }
    }

    @Test("one that is away from the start, refuses to be followed or refuses an issuer is no doubt either")
    func refusing() async throws {
        let (good, away) = (Self.agent("good", [Self.demo(1)]), Self.agent("away", []))
        let (refusing, partial) = (Self.agent("refusing", [Self.demo(9)]), Self.agent("partial", [Self.demo(9)]))
        away.goAway()
        refusing.state.withLock { $0.refuses = true }
        partial.state.withLock { $0.refusals["demo"] = .storeUnavailable }
        try await following([away, refusing, partial, good]) { publication in
            try await eventually("ready") { publication.readiness == .ready && publication.jwks("a") == jwksBody("k1") }
            try await eventually("all heard") {
                [
                    "the agent is away, serving what it last said",
                    "the agent refuses to be followed, serving what it last said",
                    "the agent refuses an issuer's documents, serving what it last said",
                ].allSatisfy(records.messages.contains)
            }
            // One that knows better and does not say vouches for nothing.
            #expect(publication.current.asOf == 0)
            uptime.pass(.seconds(121))
            good.goAway()
            try await eventually("a sign of life of the other") { pauses.end(.heartbeat) }
            try await eventually("stale") { publication.readiness.isStale }
            #expect(publication.jwks("a") == jwksBody("k1"))
        }
    }

    @Test("one of another deployment is named and not followed, whoever is there first, and makes nothing unready")
    func foreign() async throws {
        let (right, other) = (Self.agent("right", [Self.demo(2)]), Self.agent("other", [Self.demo(9)]))
        other.state.withLock { $0.deployment = "second" }
        try await following(
            [right], kept: Publication(results: [Self.demo(1)], deployment: "first", confirmedAt: wire(0)), and: [other]
        ) {
            publication in
            try await eventually("named") { records.messages.contains("an agent is of another deployment and is not followed") }
            try await eventually("served") { publication.jwks("a") == jwksBody("k2") && publication.readiness == .ready }
            for _ in 0..<3 { try await eventually("another look") { pauses.end(.heartbeat) } }
            other.change(Self.demo(10))
            #expect(publication.jwks("a") == jwksBody("k2") && publication.readiness == .ready)
            #expect(other.asked.isEmpty && other.served.isEmpty)

            right.goAway()
            try await eventually("away") { records.messages.last == "the agent is away, serving what it last said" }
            #expect(publication.readiness == .ready, "its word is fresh")
            uptime.pass(.seconds(121))
            #expect(
                publication.readiness.reason
                    == "what is served was last confirmed 121 s ago; right: 121 s ago, other: of another deployment, second")
            #expect(records.messages.count { $0 == "an agent is of another deployment and is not followed" } == 1)
        }
    }

    @Test("where nothing is served, no agent takes over from one of another deployment that is followed")
    func foreignWithoutIssuers() {
        var publication = Publication(agents: ["a", "b"])
        let first = publication.meet("first", by: 0, namesIssuers: false)
        let second = publication.meet("second", by: 1, namesIssuers: true)
        #expect(first && !second && publication.deployment == "first")
        #expect(publication.standing(at: 0, staleAfter: 120) == .vouched)
        // All of them have been given a new store.
        let again = publication.meet("second", by: 0, namesIssuers: false)
        let other = publication.meet("second", by: 1, namesIssuers: false)
        #expect(again && other && publication.deployment == "second")
    }

    @Test("when another deployment has been accepted, what agents of the former one say counts no more")
    func acceptedDeployment() {
        var publication = Publication(agents: ["a", "b"])
        let first = publication.meet("first", by: 0, namesIssuers: true)
        let taken = publication.take(Self.demo(1), from: 0, at: moment(0))
        let second = publication.meet("second", by: 1, namesIssuers: true)
        #expect(first && taken == .served(ServedIssuer(name: "demo", generation: 1, urls: 1)) && !second)
        publication.take("second", by: 1)
        let late = publication.take(Self.demo(2), from: 0, at: moment(0))
        let absence = publication.takeAbsence(of: "demo", deletedAt: 5, from: 0, at: 0)
        let isDeleted = publication.takeDeletion(of: "demo", at: 5, from: 0, at: 0)
        #expect(late == .foreign && absence == .foreign && !isDeleted && publication.results["demo"]?.generation == 1)
        publication.hearOut(0, at: moment(7), uptime: 7)
        #expect(publication.confirmedAt == nil)
    }

    @Test("a deletion by one counts, whoever else lists the issuer; one that is created again is served")
    func deletion() async throws {
        let (first, second) = (Self.agent("first", [Self.demo(4)]), Self.agent("second", [Self.demo(4)]))
        try await following([first, second]) { publication in
            try await eventually("both followed") { records.messages.count == 2 }
            first.delete("demo")
            try await eventually("gone") { publication.jwks("a") == nil }
            second.change(Self.demo(4))
            for _ in 0..<3 { try await eventually("a sign of life") { pauses.end(.heartbeat) } }
            second.goAway()
            second.comeBack()
            try await eventually("followed again") {
                pauses.end(.backoff)
                return records.messages.count { $0 == "following the agent" } == 3
            }
            #expect(publication.jwks("a") == nil && publication.current.results.isEmpty && publication.readiness == .ready)
            first.change(Self.demo(5))
            try await eventually("served again") { publication.jwks("a") == jwksBody("k5") }
            second.tell([WatchedIssuer(name: "demo", generation: 4, deleted: true)])
            try await eventually("the second has been heard") { second.asked.count { $0 == "demo" } >= 3 }
            #expect(publication.jwks("a") == jwksBody("k5") && publication.readiness == .ready)
            second.delete("demo")
            for _ in 0..<2 { try await eventually("a sign of life") { pauses.end(.heartbeat) } }
            #expect(publication.jwks("a") == jwksBody("k5"), "an earlier one of its name was deleted")
        }
    }

    @Test("what was deleted comes back when the shared store has gone back, which one that is behind does not show")
    func storeWentBack() {
        var publication = Publication(agents: ["a", "b"])
        for agent in 0...1 {
            _ = publication.meet("first", by: agent, namesIssuers: true)
            _ = publication.take(Self.demo(4), from: agent, at: moment(0))
        }
        let second: Int64 = 1_000_000_000
        _ = publication.takeDeletion(of: "demo", at: 4, from: 0, at: 100 * second)
        publication.agents[1].hear(.shared(confirmedSecondsAgo: 60), sentAt: 150 * second)
        let behind = publication.take(Self.demo(4), from: 1, at: moment(0))
        #expect(behind == .ended && publication.results.isEmpty)
        #expect(publication.agents[1].questions == ["demo"], "it is asked again")
        publication.agents[1].hear(.shared(confirmedSecondsAgo: 1), sentAt: 160 * second)
        let back = publication.take(Self.demo(4), from: 1, at: moment(0))
        #expect(back == .served(ServedIssuer(name: "demo", generation: 4, urls: 1)))
    }

    @Test("what no agent vouches for any more is a doubt, until one does or its loss is accepted")
    func nobodyVouches() async throws {
        let agents = ["a", "b"].map { Self.agent($0, [Self.demo(4)]) }
        try await following(agents) { publication in
            try await eventually("both followed") { records.messages.count == 2 }
            // A store that was restored from an older copy, under both.
            for agent in agents {
                agent.goAway()
                agent.state.withLock { $0.results["demo"] = Self.demo(3) }
                agent.comeBack()
            }
            try await eventually("the doubt") {
                pauses.end(.backoff)
                return publication.readiness == .doubtful(.unvouched(["demo"]))
            }
            #expect(publication.jwks("a") == jwksBody("k4"))
            #expect(publication.readiness.reason.hasPrefix("no agent knows 1 issuers as they are served here, such as demo"))
            accepted.withLock { $0 = Acceptance(deployment: "first", former: "first", forgotten: ["demo": 3]) }
            for _ in 0..<2 { try await eventually("a sign of life") { pauses.end(.heartbeat) } }
            #expect(publication.jwks("a") == jwksBody("k4"), "that was another generation")
            accepted.withLock { $0 = Acceptance(deployment: "first", former: "first", forgotten: ["demo": 4]) }
            try await eventually("taken") {
                pauses.end(.heartbeat)
                return publication.jwks("a") == jwksBody("k3") && publication.readiness == .ready
            }
            for agent in agents {
                try await eventually("told") { agent.served.last == ServedIssuer(name: "demo", generation: 3, urls: 1) }
            }
        }
    }

    @Test("an agent that is away vouches for as long as its word is fresh")
    func vouchingEnds() {
        var publication = Publication(agents: ["a", "b"])
        let second: Int64 = 1_000_000_000
        for agent in 0...1 {
            _ = publication.meet("first", by: agent, namesIssuers: true)
            _ = publication.take(Self.demo(4 - agent), from: agent, at: moment(0))
            publication.agents[agent].hear(.shared(confirmedSecondsAgo: 0), sentAt: 0)
            publication.hearOut(agent, at: moment(0), uptime: 0)
        }
        #expect(publication.results["demo"]?.generation == 4)
        for (seconds, standing) in [(0, .vouched), (120, .vouched), (121, .unvouched(["demo"]))] as [(Int64, Standing)] {
            #expect(publication.standing(at: seconds * second, staleAfter: 120) == standing)
        }
        // Meanwhile the one that is behind cannot make it fresher than the one that is not.
        publication.agents[1].hear(.shared(confirmedSecondsAgo: 0), sentAt: 60 * second)
        publication.hearOut(1, at: moment(60), uptime: 60 * second)
        #expect(publication.asOf == 0)
        publication.agents[0].hear(.shared(confirmedSecondsAgo: 5), sentAt: 60 * second)
        publication.hearOut(1, at: moment(60), uptime: 60 * second)
        #expect(publication.asOf == 55 * second && publication.confirmedAt == wire(55))
    }

    @Test("of agents whose clocks are apart, the one of the future does not decide what is past", arguments: [false, true])
    func clocksApart(isAheadFirst: Bool) {
        func said(at seconds: Int64) -> DiscoveryResult {
            discovery(of: "demo", generation: 2, at: wire(seconds), [url("a", [(wire(0), "k2+k1"), (wire(1_800), "k2")])])
        }
        var publication = Publication(agents: ["a", "b"])
        for agent in 0...1 { _ = publication.meet("first", by: agent, namesIssuers: true) }
        for isAhead in [isAheadFirst, !isAheadFirst] {
            _ = publication.take(said(at: isAhead ? 3_600 : 0), from: isAhead ? 1 : 0, at: moment(0))
        }
        #expect(publication.results["demo"]?.dataTimestamp == wire(0))
        #expect(publication.jwks("a", at: 0) == jwksBody("k2+k1"))
        #expect(publication.agents.allSatisfy { $0.vouched == ["demo"] })
    }

    private func following(
        _ agents: [ScriptedSource], kept: Publication = Publication(), and others: [ScriptedSource] = [],
        _ body: (LivePublication) async throws -> Void
    ) async throws {
        let agents = agents + others
        let publication = LivePublication(
            kept, agents: agents.map(\.name), clock: clock.reading, uptime: uptime.reading)
        let followers = agents.enumerated().map { place, source in
            AgentFollower(
                source: source, publication: publication, agent: place,
                acceptance: { [accepted] in accepted.withLock { $0 } }, pause: pauses.pause, random: { 0 },
                logger: records.logger)
        }
        let group = ServiceGroup(services: followers, logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body(publication)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

extension ScriptedSource {
    /// What it was told to be served, in order.
    var served: [ServedIssuer] { state.withLock { $0.served } }
}
