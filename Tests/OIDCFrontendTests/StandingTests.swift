import AgentProtocol
import Logging
import Platform
import TestSupport
import Testing

@testable import OIDCFrontend

/// An agent that says something else than before: after a store was lost, restored or hidden, nothing that is served may go by
/// itself.
@Suite("An agent that knows nothing of what is served")
struct StandingTests {
    let clock = TestClock()
    let pauses = ManualPause()
    let records = LogRecords()
    let accepted = Locked(Acceptance?.none)

    @Test(
        "one of another deployment takes nothing away, with issuers or without, and is not served from, until that is accepted",
        arguments: [false, true])
    func foreign(hasIssuers: Bool) async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")]), discovery(of: "b", [url("b")])])
        try await following(agent) { publication in
            try await eventually("confirmed") { publication.current.confirmedAt == wire(0) }
            agent.goAway()
            agent.state.withLock { state in
                state.deployment = "second"
                state.results = hasIssuers ? ["b": discovery(of: "b", [url("other")])] : [:]
            }
            agent.comeBack()
            try await eventually("met") {
                pauses.end(.backoff)
                return records.messages.last == "the agent is of another deployment, serving what the former one last said"
            }
            for _ in 1...3 { try await eventually("another look") { pauses.end(.heartbeat) } }
            #expect(publication.jwks("a") == jwksBody("k1") && publication.jwks("b") == jwksBody("k1"))
            #expect(publication.jwks("other") == nil)
            guard case .doubtful(let standing) = publication.readiness else {
                Issue.record("ready")
                return
            }
            #expect(standing == .foreign(deployment: "second") && standing.reason?.contains("privyseal-issuer accept") == true)

            // What was accepted of another agent does not count.
            accepted.withLock { $0 = Acceptance(deployment: "third", former: "first", forgotten: ["a": 1, "b": 1]) }
            try await eventually("another look") { pauses.end(.heartbeat) }
            #expect(publication.jwks("a") == jwksBody("k1"))
            accepted.withLock { $0 = Acceptance(deployment: "second", former: "first", forgotten: ["a": 1, "b": 1]) }
            try await eventually("taken") {
                pauses.end(.heartbeat)
                return publication.jwks("a") == nil && publication.jwks("b") == nil
            }
            #expect(publication.jwks("other") == (hasIssuers ? jwksBody("k1") : nil))
            try await eventually("ready") { publication.readiness == .ready }
            #expect(publication.current.deployment == "second")
        }
    }

    @Test("an issuer that its own agent has lost stays, unready, until it is back or accepted to be gone")
    func unnamed() async throws {
        let agent = ScriptedSource(["a", "b", "c"].map { discovery(of: $0, generation: 4, [url($0)]) })
        try await following(agent) { publication in
            try await eventually("confirmed") { publication.current.confirmedAt == wire(0) }
            agent.goAway()
            // An older store, in which one of them has once been deleted under a lower generation.
            agent.state.withLock { state in
                state.results = ["a": discovery(of: "a", generation: 3, [url("a")])]
                state.deleted = ["b": 2]
            }
            agent.comeBack()
            try await eventually("met") {
                pauses.end(.backoff)
                return publication.standing == .unnamed(["b", "c"])
            }
            #expect(publication.jwks("b") == jwksBody("k1") && publication.jwks("c") == jwksBody("k1"))
            #expect(publication.readiness == .doubtful(.unnamed(["b", "c"])))

            accepted.withLock { $0 = Acceptance(deployment: "first", former: "first", forgotten: ["b": 3, "c": 4]) }
            try await eventually("what was accepted is gone") {
                pauses.end(.heartbeat)
                return publication.jwks("c") == nil
            }
            #expect(publication.jwks("b") == jwksBody("k1"))
            agent.state.withLock { $0.results["b"] = discovery(of: "b", generation: 5, [url("b")]) }
            try await eventually("ready") {
                pauses.end(.heartbeat)
                return publication.readiness == .ready
            }
        }
    }

    @Test("an older word of the agent's that lacks a URL takes none away; one that lacks nothing is taken")
    func olderWord() async throws {
        let agent = ScriptedSource(["a", "b"].map { discovery(of: $0, generation: 4, [url($0)]) })
        try await following(agent) { publication in
            try await eventually("confirmed") { publication.current.confirmedAt == wire(0) }
            agent.goAway()
            // A store that was rebuilt, in which one has no URL, and the other another key.
            agent.state.withLock { state in
                state.results = [
                    "a": discovery(of: "a", generation: 1, []),
                    "b": discovery(of: "b", generation: 1, [url("b", [(wire(0), "k2")])]),
                ]
            }
            agent.comeBack()
            try await eventually("met") {
                pauses.end(.backoff)
                return publication.standing == .unnamed(["a"])
            }
            #expect(publication.jwks("a") == jwksBody("k1") && publication.jwks("b") == jwksBody("k2"))
            accepted.withLock { $0 = Acceptance(deployment: "first", former: "first", forgotten: ["a": 4]) }
            try await eventually("what was accepted is gone") {
                pauses.end(.heartbeat)
                return publication.jwks("a") == nil && publication.readiness == .ready
            }
            #expect(publication.current.results["a"]?.generation == 1)
        }
    }

    @Test("where nothing is served, an agent of another deployment has nothing to be accepted for")
    func nothingServed() {
        var publication = Publication()
        let isFirst = publication.meet("first", namesIssuers: false)
        publication.apply(discovery(of: "plain", []))
        let isSecond = publication.meet("second", namesIssuers: true)
        #expect(isFirst && isSecond && standing(publication) == .vouched && publication.deployment == "second")
    }

    @Test("a reconnection alone does not make ready what the agent knew nothing of")
    func stillUnnamed() {
        var publication = Publication(results: [discovery(of: "a", [url("a")])], deployment: "first", confirmedAt: wire(0))
        let absence = publication.takeAbsence(of: "a", deletedAt: nil, from: 0, at: 0)
        let isOwn = publication.meet("first", namesIssuers: true)
        #expect(absence == .unexplained(discovery(of: "a", [url("a")])) && isOwn && standing(publication) == .unnamed(["a"]))
    }

    @Test("documents that were kept without a name belong to the first agent that has issuers, and to no empty one")
    func namelessCache() {
        var publication = Publication(results: [discovery(of: "a", [url("a")])], confirmedAt: wire(0))
        let isOwn = publication.meet("empty", namesIssuers: false)
        #expect(!isOwn && standing(publication) == .foreign(deployment: "empty") && publication.deployment == nil)
        let isFirst = publication.meet("first", namesIssuers: true)
        #expect(isFirst && standing(publication) == .vouched && publication.deployment == "first" && publication.revision == 1)
        let isSecond = publication.meet("second", namesIssuers: true)
        #expect(!isSecond)
        // One that does not say cannot be told from the one there was.
        let isNameless = publication.meet(nil, namesIssuers: false)
        #expect(isNameless)
        var fresh = Publication()
        let isNew = fresh.meet("first", namesIssuers: false)
        #expect(isNew)
    }

    @Test("what is served is told to the agent, issuer by issuer, and so is that nothing is served of one")
    func acknowledgement() async throws {
        let agent = ScriptedSource([discovery(of: "a", [url("a")]), discovery(of: "b", [])])
        try await following(agent) { publication in
            try await eventually("all of it") { agent.state.withLock { $0.served.count } == 2 }
            agent.change(discovery(of: "a", generation: 2, [url("a"), url("former", current: false, expiresAt: wire(60))]))
            try await eventually("the change") { agent.state.withLock { $0.served.count } == 3 }
            #expect(
                agent.state.withLock { $0.served }.sorted { ($0.name, $0.generation) < ($1.name, $1.generation) } == [
                    ServedIssuer(name: "a", generation: 1, urls: 1), ServedIssuer(name: "a", generation: 2, urls: 2),
                    ServedIssuer(name: "b", generation: 1, urls: 0),
                ])
        }
    }

    private func standing(_ publication: Publication) -> Standing { publication.standing(at: 0, staleAfter: 3600) }

    private func following(_ agent: ScriptedSource, _ body: (LivePublication) async throws -> Void) async throws {
        try await OIDCFrontendTests.following(
            agent, clock: clock, pauses: pauses, records: records, acceptance: { [accepted] in accepted.withLock { $0 } }, body)
    }
}
