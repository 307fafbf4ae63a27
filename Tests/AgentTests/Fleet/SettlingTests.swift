import IssuerStore
import Testing

@testable import Agent

@Suite("How a change comes to count for every agent")
struct SettlingTests {
    private let own = FleetMember(id: "a", incarnation: "a1", host: "ha", release: "1", staleness: 60)
    private let other = FleetMember(id: "b", incarnation: "b1", host: "hb", release: "1", staleness: 30)

    private func reading(_ entries: [(FleetMember, MemberReport?)], isThere: Bool = true) -> FleetReading {
        FleetReading(
            entries: entries.map {
                FleetReading.Entry(member: $0.0, clock: isThere ? 1_000 : nil, clockRevision: 1, report: $0.1)
            }, revision: 1, sentAt: 0)
    }

    private func settling() -> Settling { Settling(issuer: "demo", revision: 7, own: "a1", committedAt: 0) }

    private static let second: Int64 = 1_000_000_000

    @Test("an agent has acknowledged it by a report of that revision or a later one, which does not name the issuer")
    func acknowledged() {
        for (report, isDone) in [
            (MemberReport(revision: 6), false), (MemberReport(revision: 7), true), (MemberReport(revision: 9), true),
            (MemberReport(revision: 9, draining: ["demo"]), false), (MemberReport(revision: 9, draining: ["other"]), true),
            (MemberReport(revision: 9, isBehindMuch: true), false), (MemberReport(revision: 9, unserved: ["demo"]), true),
        ] {
            var settling = settling()
            settling.take(reading([(own, nil), (other, report)]), now: 0)
            #expect(settling.settlement.isSettled == isDone, "\(report)")
            #expect(settling.settlement.agents.map(\.id) == ["b"])
        }
    }

    @Test("nothing is settled before it is known who takes part")
    func unknown() {
        var settling = settling()
        #expect(!settling.settlement.isSettled && settling.settlement.failure != nil)
        settling.look(at: 1_000 * Self.second)
        #expect(!settling.settlement.isSettled)
        settling.take(reading([(own, nil)]), now: 0)
        #expect(settling.settlement == FleetSettlement())
        #expect(settling.settlement.isSettled)
    }

    @Test("an agent that does not answer is waited for as long as it may sign by its own limit, and a little longer")
    func waitedOut() {
        var settling = settling()
        settling.take(reading([(own, nil), (other, nil)], isThere: false), now: 0)
        #expect(settling.settlement.agents.map(\.outcome) == [.pending(seconds: 32)])
        settling.look(at: 31 * Self.second)
        #expect(settling.settlement.agents.map(\.outcome) == [.pending(seconds: 1)])
        settling.look(at: 32 * Self.second)
        #expect(settling.settlement.agents.map(\.outcome) == [.waitedOut] && settling.settlement.isSettled)
        #expect(settling.settlement.agents.map(\.milliseconds) == [32_000])
    }

    @Test("one that has left, or is another start by now, does not go by what was before")
    func left() {
        var settling = settling()
        settling.take(reading([(own, nil), (other, nil)]), now: 0)
        var again = other
        again.incarnation = "b2"
        settling.take(reading([(own, nil), (again, nil)]), now: 5_000_000)
        #expect(settling.settlement.agents.map(\.outcome) == [.left] && settling.settlement.isSettled)
    }

    @Test("one that enters later reads the store after the commit, and is not waited for")
    func later() {
        var settling = settling()
        settling.take(reading([(own, nil)]), now: 0)
        settling.take(reading([(own, nil), (other, nil)]), now: 1)
        #expect(settling.settlement.isSettled && settling.settlement.agents.isEmpty)
    }

    @Test("an agent that is there is ready for a key once it has used it and its frontends serve it")
    func readiness() {
        func lacking(_ report: MemberReport?, isThere: Bool = true) -> [String: FleetReadiness.Reason] {
            FleetReadiness(
                reading([(own, nil), (other, report)], isThere: isThere), issuer: "demo", kid: "k", revision: 7, own: "a1"
            ).lacking
        }
        #expect(lacking(MemberReport(revision: 7)) == [:])
        #expect(lacking(nil) == ["b": .unusable])
        #expect(lacking(MemberReport(revision: 6)) == ["b": .unusable])
        #expect(lacking(MemberReport(revision: 7, unusable: ["k"])) == ["b": .unusable])
        #expect(lacking(MemberReport(revision: 7, unusable: ["l"])) == [:])
        #expect(lacking(MemberReport(revision: 7, unserved: ["demo"])) == ["b": .unserved])
        #expect(lacking(MemberReport(revision: 7, isBehindMuch: true)) == ["b": .unusable])
        #expect(lacking(nil, isThere: false) == [:])
    }
}

@Suite("How frontends come to serve a change")
struct FrontendSettlingTests {
    private static let second: Int64 = 1_000_000_000

    private func frontend(_ number: UInt64, lacking: Set<String> = [], staleAfter: Int = 120) -> FollowingFrontend {
        FollowingFrontend(
            name: FollowingFrontend.Name(number: number, uid: 7, user: nil, pid: 70), staleAfter: staleAfter, unserved: lacking)
    }

    private func rest(_ count: Int, lacking: Set<String> = []) -> FollowingFrontend {
        FollowingFrontend(name: nil, count: count, staleAfter: 60, unserved: lacking)
    }

    @Test(
        "one has served it once it lacks nothing of the issuer, and one that is not there any more is gone, for as long as it may be stale"
    )
    func outcomes() {
        let all = [frontend(1), frontend(2), frontend(3)]
        var settling = FrontendSettling("demo", followers: all, committedAt: 0, now: 0)
        settling.take([frontend(1, lacking: ["other"]), frontend(2, lacking: ["demo"]), frontend(4)], now: Self.second / 2)
        #expect(settling.frontends.map(\.outcome) == [.served, .pending(staleFor: 120), .gone(staleFor: 120)])
        #expect(settling.frontends.map(\.milliseconds) == [500, 0, 0])
        settling.look(at: 90 * Self.second)
        #expect(settling.frontends.map(\.outcome) == [.served, .pending(staleFor: 30), .gone(staleFor: 30)])
        settling.take([frontend(2)], now: 100 * Self.second)
        settling.look(at: 500 * Self.second)
        #expect(settling.frontends.map(\.outcome) == [.served, .served, .gone(staleFor: 0)])
        #expect(settling.frontends.map(\.milliseconds) == [500, 100_000, 0])
    }

    @Test("where documents are kept longer than a frontend is ready, that counts as well")
    func caching() {
        let all = [frontend(1, staleAfter: 30)]
        let settling = FrontendSettling("demo", followers: all, committedAt: 0, caching: 300, now: 10 * Self.second)
        #expect(settling.frontends.map(\.outcome) == [.pending(staleFor: 320)])
    }

    @Test("those that are not named have served it when none of them lacks it, also when they are few enough to be named by then")
    func rest() {
        var settling = FrontendSettling("demo", followers: [frontend(1), rest(3)], committedAt: 0, now: 0)
        settling.take([frontend(1), rest(3, lacking: ["demo"])], now: 0)
        #expect(settling.frontends.map(\.isPending) == [false, true])
        settling.take([frontend(5, lacking: ["demo"])], now: 0)
        #expect(settling.frontends.map(\.isPending) == [false, true])
        settling.take([frontend(5)], now: 0)
        #expect(settling.frontends.map(\.outcome) == [.served, .served])
        #expect(FollowingFrontend.naming((1...20).map { frontend($0) }).map(\.count) == Array(repeating: 1, count: 8) + [12])
        #expect(FollowingFrontend.naming([frontend(1)]) == [frontend(1)])
    }

    @Test("of another agent, what counts is a report of the change or a later one, and its frontends are gone when it is")
    func ofAnotherAgent() {
        let own = FleetMember(id: "a", incarnation: "a1", host: "ha", release: "1", staleness: 60)
        let other = FleetMember(id: "b", incarnation: "b1", host: "hb", release: "1", staleness: 30)
        func reading(_ report: MemberReport?) -> FleetReading {
            let entry = FleetReading.Entry(member: other, clock: 1, clockRevision: 1, report: report)
            return FleetReading(
                entries: [FleetReading.Entry(member: own, clock: 1, clockRevision: 1, report: nil)]
                    + (report == nil ? [] : [entry]),
                revision: 1, sentAt: 0)
        }
        func report(_ revision: Int64, lacking: Set<String> = []) -> MemberReport {
            MemberReport(revision: revision, unserved: lacking, followers: [frontend(1, lacking: lacking)])
        }
        for (later, expected) in [
            (report(6), FrontendSettlement.Outcome.pending(staleFor: 120)), (report(7), .served),
            (report(8, lacking: ["demo"]), .pending(staleFor: 120)), (report(8, lacking: ["else"]), .served),
            (MemberReport(revision: 8, isBehindMuch: true), .pending(staleFor: 120)), (nil, .gone(staleFor: 120)),
        ] {
            var settling = Settling(issuer: "demo", revision: 7, own: "a1", committedAt: 0, isTellingFrontends: true)
            settling.take(reading(report(6)), now: 0)
            settling.take(reading(later), now: 0)
            #expect(settling.settlement.agents.map { $0.frontends.map(\.outcome) } == [[expected]], "\(later as Any)")
        }
        var settling = Settling(issuer: "demo", revision: 7, own: "a1", committedAt: 0)
        settling.take(reading(report(7)), now: 0)
        #expect(settling.settlement.agents.map(\.frontends) == [[]])
    }
}
