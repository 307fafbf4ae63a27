import IssuerStore
import KeyLifecycle

/// Who takes part, as this agent last read it: who is there, whose clock differs, and who has been away for so long that it cannot
/// sign any more.
struct FleetRoster: Sendable {
    /// Seconds by which the wall clocks of two agents may differ.
    static let clockTolerance = Int64(ClockGuard.tolerance)

    private struct Sighting {
        /// Which of its words was last read.
        var clockRevision: Int64
        /// Its clock less this agent's, in milliseconds, at the first sight of that word; `nil` for a word that was old perhaps and says
        /// nothing then.
        var offset: Int64?
        /// Its clock less this machine's monotonic one, in milliseconds, at the first sight of that word, or less if it was old.
        var lead: Int64?
        /// Since when it has not been there, in nanoseconds of the monotonic clock.
        var awaySince: Int64?
    }

    private(set) var entries: [FleetReading.Entry] = []
    /// Whether it has been read at all.
    private(set) var isKnown = false
    private var sightings: [FleetMember: Sighting] = [:]

    /// - Parameters:
    ///   - wall: this agent's wall clock, in milliseconds since 1970.
    ///   - now: nanoseconds of the monotonic clock.
    mutating func take(_ reading: FleetReading, wall: Int64, now: Int64) {
        var seen: [FleetMember: Sighting] = [:]
        for entry in reading.entries {
            let before = sightings[entry.member]
            var sighting = before ?? Sighting(clockRevision: entry.clockRevision)
            if let clock = entry.clock {
                sighting.awaySince = nil
                // Of a word that was there at the first look, nobody knows how old it is.
                if before != nil, entry.clockRevision != sighting.clockRevision { sighting.offset = clock - wall }
                // However old it is, the clock that is ahead by it is ahead by more now.
                if before == nil, clock - wall > Self.clockTolerance * 1_000 { sighting.offset = clock - wall }
                if before == nil || entry.clockRevision != sighting.clockRevision { sighting.lead = clock - now / 1_000_000 }
            } else {
                sighting.awaySince = before?.awaySince ?? now
            }
            sighting.clockRevision = entry.clockRevision
            seen[entry.member] = sighting
        }
        sightings = seen
        entries = reading.entries
        isKnown = true
    }

    /// The agents whose wall clock is another than this one's, by id, with the difference in seconds.
    func clockDifferences(of own: String) -> [String: Int] {
        var found: [String: Int] = [:]
        for entry in entries where entry.member.incarnation != own && entry.clock != nil {
            guard let offset = sightings[entry.member]?.offset, abs(offset) > Self.clockTolerance * 1_000 else { continue }
            found[entry.member.id] = Int(offset / 1_000)
        }
        return found
    }

    /// Where the wall clocks of the others stand above this machine's monotonic one, in milliseconds, by their last words.
    func leads(but own: String) -> [Int64] {
        entries.filter { $0.member.incarnation != own }.compactMap { sightings[$0.member]?.lead }
    }

    /// Those that have been away for longer than they sign without the store.
    func spent(at now: Int64) -> [FleetMember] {
        entries.map(\.member).filter { member in
            guard let since = sightings[member]?.awaySince else { return false }
            return now - since > Int64(member.staleness + FleetMember.slack) * 1_000_000_000
        }
    }

    /// The starts of agents that take part.
    var incarnations: Set<String> { Set(entries.map(\.member.incarnation)) }
}
