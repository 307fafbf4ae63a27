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
