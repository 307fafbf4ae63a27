import KeyLifecycle
import Synchronization

/// What the wall clock may show at most, by the clocks of the fleet.
///
/// A clock that jumps ahead would date JWTs that live longer than their key, which the others end by the clocks that they know of,
/// and would end keys that the others' JWTs still need; the others hear of it ten seconds later. So it counts as far as it agrees with
/// another's, or with itself when it last did.
final class FleetTime: Sendable {
    /// The wall clock less the monotonic one at most, in milliseconds.
    private let lead = Atomic(Int64.max)

    /// - Parameter lead: in milliseconds; `nil` for no limit.
    func limit(to lead: Int64?) { self.lead.store(lead ?? .max, ordering: .relaxed) }

    /// A clock whose wall clock shows no more than that. What is told to others and to people, in milliseconds, is as it was.
    func bounding(_ clock: AgentClock) -> AgentClock {
        AgentClock(
            wall: {
                let (wall, lead) = (clock.wall(), self.lead.load(ordering: .relaxed))
                return lead == .max ? wall : min(wall, Timestamp(seconds: (clock.monotonic() / 1_000_000 + lead) / 1_000))
            }, monotonic: clock.monotonic, wallMilliseconds: clock.wallMilliseconds)
    }
}

/// How far an agent's wall clock may be ahead.
struct VouchedClock: Sendable {
    /// Milliseconds by which it may be ahead of what another has told: a word may be as old as that, and a key's end leaves room for a
    /// minute.
    static let tolerance: Int64 = 30_000

    /// Where it stood when it was last not ahead of all others, or nobody else was there.
    private var vouched: Int64?

    /// - Parameters: where this agent's wall clock stands above its monotonic one, in milliseconds, and where the others' did by their last
    ///   words.
    /// - Returns: where this agent's may stand at most; `nil` for no limit.
    mutating func limit(own: Int64, others: [Int64]) -> Int64? {
        guard let furthest = others.max() else {
            vouched = own
            return nil
        }
        if own <= furthest + Self.tolerance { vouched = own }
        return max(furthest, vouched ?? furthest) + Self.tolerance
    }
}
