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
