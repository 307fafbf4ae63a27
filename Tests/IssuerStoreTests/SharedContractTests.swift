import IssuerStore
import KeyLifecycle
import Platform
import TestSupport
import Testing

@Suite("What a store that several agents share promises")
struct SharedContractTests {
    private static let occupied = StoreError(.occupied, "", hint: "")

    @Test("who joined is a member, who said so is there, and who left is neither", arguments: SharedImplementation.allCases)
    func members(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.agent("a"), try await scene.agent("b", "7"))
            #expect(try await a.entries().isEmpty)
            try await a.join(.fixture("a"))
            try await b.join(.fixture("b", "7"))
            #expect(try await b.entries() == ["a.1", "b.7"])
            try await a.renew(clock: 100)
            try await b.report(MemberReport(revision: 5, draining: ["demo"], unusable: ["kid"], frontends: 2))
            #expect(try await a.entries() == ["a.1@100", "b.7 5"])
            let first = try await b.fleet()
            #expect(first.entries.map(\.member) == [.fixture("a"), .fixture("b", "7")])
            #expect(first.entries[1].report == MemberReport(revision: 5, draining: ["demo"], unusable: ["kid"], frontends: 2))
            #expect(first.sentAt == 1_000)
            try await a.renew(clock: 100)
            let second = try await b.fleet()
            #expect(second.entries[0].clockRevision != first.entries[0].clockRevision)
            #expect(second.revision > first.revision)
            try await b.report(MemberReport(revision: 9))
            #expect(try await a.entries() == ["a.1@100", "b.7 9"])
            try await a.leave()
            try await a.leave()
            #expect(try await b.entries() == ["b.7 9"])
        }
    }

    @Test("one that has not been heard of is a member still, and comes back", arguments: SharedImplementation.allCases)
    func expiry(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.member("a"), try await scene.member("b"))
            try await a.report(MemberReport(revision: 3))
            try await scene.expireLeases(of: "a")
            #expect(try await b.entries() == ["a.1", "b.1@1"])
            try await a.renew(clock: 2)
            #expect(try await b.entries() == ["a.1@2", "b.1@1"], "what hung on the lease is to be said again")
            try await scene.expireLeases(of: "a")
            try await a.report(MemberReport(revision: 4))
            #expect(try await b.entries() == ["a.1 4", "b.1@1"])
        }
    }

    @Test("two agents with one id: the second is refused while the first is there", arguments: SharedImplementation.allCases)
    func occupied(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let first = try await scene.member("a")
            let second = try await scene.agent("a", "2", on: "elsewhere")
            await #expect(throws: Self.occupied) { try await second.join(.fixture("a", "2")) }
            #expect(try await first.entries() == ["a.1@1"])
            // One that cannot be heard of may be signing yet: it is waited for beside the one that has its id now.
            try await scene.expireLeases(of: "a")
            let before = try await first.head().head
            try await second.join(.fixture("a", "2"))
            try await second.renew(clock: 2)
            #expect(try await second.entries() == ["a.2@2", "a.1"])
            #expect(try await second.head().head != before, "the first has to read a view")
            await #expect(throws: Self.occupied) { _ = try await first.view() }
            await #expect(throws: Self.occupied) { try await first.renew(clock: 3) }
            await #expect(throws: Self.occupied) { try await first.report(MemberReport(revision: 1)) }
            try await first.leave()
            scene.advance(seconds: 61)
            _ = try await second.fleet()
            try await second.renew(clock: 3)
            #expect(try await second.entries() == ["a.2@3", "a.1"], "its time begins when its mark is seen")
            scene.advance(seconds: 63)
            try await second.renew(clock: 4)
            #expect(try await second.entries() == ["a.2@4"])
        }
    }

    @Test("an agent that starts again on its machine takes over at once", arguments: SharedImplementation.allCases)
    func restart(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.member("a"), try await scene.member("b"))
            try await a.report(MemberReport(revision: 3))
            let before = try await b.head().head
            await scene.end(a)
            let again = try await scene.agent("a", "2")
            try await again.join(.fixture("a", "2"))
            #expect(try await b.entries() == ["a.2", "b.1@1"], "what the former one said is not this one's")
            #expect(try await b.head().head != before)
            try await again.renew(clock: 5)
            #expect(try await b.entries() == ["a.2@5", "b.1@1"])
        }
    }

    @Test(
        "a member is dismissed once it cannot sign any more, and not while it is there", arguments: SharedImplementation.allCases)
    func dismissal(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.member("a"), try await scene.member("b"))
            let start = try await a.view()
            try await b.dismiss(.fixture("a"))
            try await b.dismiss(.fixture("a", "other"))
            try await b.dismiss(.fixture("z"))
            #expect(try await b.head().head == start.head, "it is there, or there is none of it")
            try await scene.expireLeases(of: "a")
            try await b.dismiss(.fixture("a"))
            #expect(try await a.head().head != start.head, "nothing confirms what it had")
            _ = try await b.fleet()
            scene.advance(seconds: 61)
            try await b.renew(clock: 2)
            #expect(try await b.entries() == ["a.1", "b.1@2"])
            scene.advance(seconds: 1)
            try await b.renew(clock: 3)
            #expect(try await b.entries() == ["b.1@3"])
            // One that comes back from its pause is waited for from before its next view on.
            let before = try await b.fleet().revision
            let joined = try await a.view().revision
            #expect(joined > before, "what it read before it was a member again does not count")
            let fleet = try await b.fleet()
            #expect(fleet.entries.map(\.member.id) == ["a", "b"])
            #expect(joined > start.revision && fleet.revision >= joined)
        }
    }

    @Test("one that comes back before its time is over stays", arguments: SharedImplementation.allCases)
    func comeback(_ implementation: SharedImplementation) async throws {
        for way in ["view", "renew", "report"] {
            try await implementation.withScene { scene in
                let (a, b) = (try await scene.member("a"), try await scene.member("b"))
                try await scene.expireLeases(of: "a")
                try await b.dismiss(.fixture("a"))
                _ = try await b.fleet()
                switch way {
                case "view": _ = try await a.view()
                case "renew": try await a.renew(clock: 9)
                default: try await a.report(MemberReport(revision: 1))
                }
                scene.advance(seconds: 100)
                try await b.renew(clock: 2)
                #expect(try await b.fleet().entries.map(\.member.id) == ["a", "b"], "\(way)")
            }
        }
    }

    @Test("an agent that has not joined says nothing, and may look", arguments: SharedImplementation.allCases)
    func strangers(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let stranger = try await scene.agent("x")
            let refused = StoreError(.unavailable, "", hint: "")
            await #expect(throws: refused) { try await stranger.renew(clock: 1) }
            await #expect(throws: refused) { try await stranger.report(MemberReport(revision: 1)) }
            _ = try await stranger.view()
            try await stranger.leave()
            #expect(try await stranger.entries().isEmpty)
        }
    }

    @Test("the making of a standby key is claimed by one, as long as it is there", arguments: SharedImplementation.allCases)
    func claims(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.member("a"), try await scene.member("b"))
            let head = try await a.head().head
            #expect(try await a.claimStandby(of: .demo))
            #expect(try await a.claimStandby(of: .demo))
            #expect(try await !b.claimStandby(of: .demo))
            #expect(try await b.claimStandby(of: .other))
            try await b.releaseStandby(of: .demo)
            #expect(try await !b.claimStandby(of: .demo), "it is not its to give back")
            try await a.releaseStandby(of: .demo)
            #expect(try await b.claimStandby(of: .demo))
            try await scene.expireLeases(of: "b")
            #expect(try await a.claimStandby(of: .demo))
            #expect(try await !b.claimStandby(of: .demo))
            try await a.leave()
            #expect(try await b.claimStandby(of: .demo))
            #expect(try await b.head().head == head)
        }
    }

    @Test("each agent shows how far its audit log has come, and that stays", arguments: SharedImplementation.allCases)
    func heads(_ implementation: SharedImplementation) async throws {
        func head(_ agent: String, _ seq: UInt64) -> PublishedHead {
            PublishedHead(
                agent: agent, seq: seq, hash: String(repeating: "a", count: 64), kid: "k", signature: "s", signedAt: Int64(seq))
        }
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.member("a"), try await scene.member("b"))
            #expect(a.agent == "a" && b.agent == "b")
            #expect(try await a.heads().isEmpty)
            let before = try await a.head().head
            try await a.publish(head("a", 7))
            try await b.publish(head("b", 3))
            try await a.publish(head("a", 9))
            // Also one of a lower number: what has come of it is for the others to see.
            try await b.publish(head("b", 2))
            #expect(try await b.heads() == [head("a", 9), head("b", 2)])
            #expect(try await a.head().head == before, "it is no commit")
            try await scene.expireLeases(of: "a")
            try await b.leave()
            await #expect(throws: StoreError(.unavailable, "", hint: "")) { try await b.publish(head("b", 4)) }
            let reader = try await scene.agent("x")
            #expect(try await reader.heads() == [head("a", 9), head("b", 2)])
            let again = try await scene.agent("a", "2", on: "elsewhere")
            try await again.join(.fixture("a", "2"))
            try await again.publish(head("a", 11))
            await #expect(throws: Self.occupied) { try await a.publish(head("a", 10)) }
            #expect(try await reader.heads() == [head("a", 11), head("b", 2)])
        }
    }

    @Test("a report that would name too much names nothing, and says so", arguments: SharedImplementation.allCases)
    func longReport(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let a = try await scene.member("a")
            let long = Set((0..<MemberReport.limit).map { "\(String(repeating: "x", count: 60))\($0)" })
            try await a.report(MemberReport(revision: 1, draining: long, unserved: long))
            #expect(try await a.fleet().entries[0].report == MemberReport(revision: 1, draining: long, unserved: long))
            try await a.report(MemberReport(revision: 2, draining: long.union(["y"]), frontends: 3))
            #expect(try await a.fleet().entries[0].report == MemberReport(revision: 2, isBehindMuch: true, frontends: 3))
        }
    }

    @Test("a report names the frontends of its agent, eight of many, and fits", arguments: SharedImplementation.allCases)
    func frontends(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let a = try await scene.member("a")
            let many = (1...20).map { number in
                FollowingFrontend(
                    name: FollowingFrontend.Name(number: UInt64(number), uid: .max, user: "frontend-\(number)", pid: .max),
                    staleAfter: 120, unserved: number % 2 == 0 ? ["demo"] : ["demo", "other"])
            }
            let few = FollowingFrontend.naming(many)
            #expect(few.count == FollowingFrontend.limit + 1 && few.last?.count == 12)
            let named = MemberReport(revision: 1, unserved: ["demo", "other"], frontends: 20, followers: few)
            try await a.report(named)
            #expect(try await a.fleet().entries[0].report == named)
            // Of deleted issuers the report says nothing else.
            var withdrawing = named
            for index in withdrawing.followers.indices.prefix(2) { withdrawing.followers[index].unserved.insert("gone") }
            try await a.report(withdrawing)
            #expect(try await a.fleet().entries[0].report == withdrawing)
            let long = Set((10..<10 + MemberReport.limit).map { "\(String(repeating: "x", count: 40))\($0)" })
            let behind = few.map { FollowingFrontend(name: $0.name, count: $0.count, staleAfter: 120, unserved: long) }
            let full = MemberReport(revision: 2, draining: long, unserved: long, frontends: 20, followers: behind)
            try await a.report(full)
            #expect(try await a.fleet().entries[0].report == full)
            // Which issuers they lack is not said where none is named.
            try await a.report(MemberReport(revision: 3, isBehindMuch: true, frontends: 20, followers: behind))
            let brief = few.map { FollowingFrontend(name: $0.name, count: $0.count, staleAfter: 120) }
            #expect(
                try await a.fleet().entries[0].report
                    == MemberReport(revision: 3, isBehindMuch: true, frontends: 20, followers: brief))
        }
    }

    @Test("a commit says which revision it made, head and view say the same", arguments: SharedImplementation.allCases)
    func revisions(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.member("a"), try await scene.member("b"))
            try await a.record(.number(1))
            #expect(try await b.view().contents.intents.map(\.incarnation) == ["1"])
            let change = try Issuer.creating(
                .demo, settings: IssuerSettings(), url: nil, firstKey: .number(1), at: .at(0))
            scene.advance(seconds: 1)
            let revision = try await a.commit(change, fulfilling: [.number(1)])
            let (head, view) = (try await b.head(), try await b.view())
            #expect(head.head.revision == revision && view.head == head.head)
            #expect(view.revision >= revision ?? .max && view.contents.issuers == [change.issuer])
            #expect(head.sentAt == 1_000_001_000 && view.sentAt == 1_000_001_000)
            try await b.renew(clock: 2)
            try await b.report(MemberReport(revision: view.revision))
            #expect(try await a.head().head == head.head, "what agents say of themselves is no commit")
        }
    }

    @Test(
        "a watch hints at commits and at members, and not at an agent's being there still",
        arguments: SharedImplementation.allCases)
    func hints(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.member("a"), try await scene.member("b"))
            let (hints, told) = AsyncStream<StoreHint>.makeStream()
            var iterator = hints.makeAsyncIterator()
            let revision = try await a.view().revision
            let watching = Task { try await a.watch(after: revision) { told.yield($0) } }
            try await b.record(.number(1))
            #expect(await iterator.next() == .contents)
            // Of what is no news nothing is told before the next that is.
            try await a.renew(clock: 8)
            try await a.report(MemberReport(revision: 1))
            try await b.renew(clock: 9)
            #expect(try await b.claimStandby(of: .demo))
            try await b.probe()
            try await b.report(MemberReport(revision: 1))
            #expect(await iterator.next() == .members)
            try await b.record(.number(2))
            #expect(await iterator.next() == .contents)
            try await scene.expireLeases(of: "b")
            #expect(await iterator.next() == .members)
            watching.cancel()
            await #expect(throws: StoreError.self) { try await watching.value }
        }
    }

    @Test("a watch tells what happened since the view that it goes on from", arguments: SharedImplementation.allCases)
    func missed(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.member("a"), try await scene.member("b"))
            let revision = try await a.view().revision
            try await b.record(.number(1))
            let (hints, told) = AsyncStream<StoreHint>.makeStream()
            let watching = Task { try await a.watch(after: revision) { told.yield($0) } }
            var iterator = hints.makeAsyncIterator()
            #expect(await iterator.next() == .contents)
            watching.cancel()
        }
    }

    @Test("an operator's decision is told by nothing going back", arguments: SharedImplementation.allCases)
    func settling(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b) = (try await scene.member("a"), try await scene.member("b"))
            try await a.create()
            _ = try await b.view()
            let before = try await b.head().head
            try await a.settle(Settlement(changes: [], token: TokenIdentity(label: "t", serial: "2")))
            let view = try await b.view()
            #expect(view.head != before && view.regressions.isEmpty && view.contents.token?.serial == "2")
        }
    }
}
