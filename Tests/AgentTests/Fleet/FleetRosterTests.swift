import IssuerStore
import Testing

@testable import Agent

@Suite("Who takes part in a fleet")
struct FleetRosterTests {
    private let other = FleetMember(id: "b", incarnation: "b1", host: "hb", release: "1", staleness: 30)
    private static let second: Int64 = 1_000_000_000

    private func reading(clock: Int64?, word: Int64) -> FleetReading {
        FleetReading(
            entries: [FleetReading.Entry(member: other, clock: clock, clockRevision: word, report: nil)], revision: 1, sentAt: 0)
    }

    @Test("clocks that differ by more than a minute are told, by words that are new")
    func clocks() {
        var roster = FleetRoster()
        // Nobody knows how old the first word is.
        roster.take(reading(clock: 0, word: 1), wall: 100_000, now: 0)
        #expect(roster.clockDifferences(of: "a1") == [:])
        roster.take(reading(clock: 0, word: 1), wall: 200_000, now: 0)
        #expect(roster.clockDifferences(of: "a1") == [:])
        roster.take(reading(clock: 260_000, word: 2), wall: 200_000, now: 0)
        #expect(roster.clockDifferences(of: "a1") == [:])
        roster.take(reading(clock: 261_001, word: 3), wall: 200_000, now: 0)
        #expect(roster.clockDifferences(of: "a1") == ["b": 61])
        // The same word, later.
        roster.take(reading(clock: 261_001, word: 3), wall: 260_000, now: 0)
        #expect(roster.clockDifferences(of: "a1") == ["b": 61])
        roster.take(reading(clock: 261_001, word: 4), wall: 400_000, now: 0)
        #expect(roster.clockDifferences(of: "a1") == ["b": -138])
        #expect(roster.clockDifferences(of: "b1") == [:])
        roster.take(reading(clock: nil, word: 4), wall: 400_000, now: 0)
        #expect(roster.clockDifferences(of: "a1") == [:])
    }

    @Test("a clock that was ahead at the first word already is told at once")
    func aheadAtFirst() {
        var roster = FleetRoster()
        roster.take(reading(clock: 3_700_000, word: 1), wall: 100_000, now: 5 * Self.second)
        #expect(roster.clockDifferences(of: "a1") == ["b": 3_600])
        #expect(roster.leads(but: "a1") == [3_695_000] && roster.leads(but: "b1") == [])
    }

    @Test("a wall clock counts no further than another's, or than itself when it last agreed with one")
    func vouched() {
        var clock = VouchedClock()
        #expect(clock.limit(own: 0, others: []) == nil)
        #expect(clock.limit(own: 0, others: [100, -50]) == 30_100)
        // It jumps ahead, and another one does.
        #expect(clock.limit(own: 3_600_000, others: [100, -50]) == 30_100)
        #expect(clock.limit(own: 3_600_000, others: [3_600_000, -50]) == 3_630_000)
        // The others are set back: it is not, and does not follow them.
        #expect(clock.limit(own: 100, others: [100]) == 30_100)
        #expect(clock.limit(own: 100, others: [-3_600_000]) == 30_100)
        #expect(clock.limit(own: 3_600_000, others: [-3_600_000]) == 30_100)
        // One that is wrong from its start on.
        var wrong = VouchedClock()
        #expect(wrong.limit(own: 3_600_000, others: [0]) == 30_000)
        // Nobody else is there: as an agent alone.
        #expect(wrong.limit(own: 3_600_000, others: []) == nil)
    }

    @Test("one that is not there cannot sign any more once its own limit is over, from when that was first seen on")
    func spent() {
        var roster = FleetRoster()
        roster.take(reading(clock: 1, word: 1), wall: 0, now: 0)
        #expect(roster.spent(at: 1_000 * Self.second) == [])
        roster.take(reading(clock: nil, word: 1), wall: 0, now: 1_000 * Self.second)
        #expect(roster.spent(at: 1_032 * Self.second) == [])
        #expect(roster.spent(at: 1_033 * Self.second) == [other])
        // It was away, and is back.
        roster.take(reading(clock: 1, word: 2), wall: 0, now: 1_033 * Self.second)
        roster.take(reading(clock: nil, word: 2), wall: 0, now: 1_034 * Self.second)
        #expect(roster.spent(at: 1_060 * Self.second) == [])
    }
}
