import Platform
import Synchronization

/// What the agent holds for all callers together, and how many parties there are to divide it among.
final class SharedMemory: Sendable {
    private let held = Atomic(0)
    private let parties = Atomic(0)

    /// Bytes that parties have together; each has an equal part, but no more than is of use, nor less than one needs.
    private static let most = 32 << 20
    private static let mostOfOne = 4 << 20
    private static let leastOfOne = 256 << 10
    /// Bytes in all above which the party with the most loses connections.
    private static let limit = 64 << 20

    /// Bytes one party may have now.
    var part: Int { max(min(Self.most / max(parties.load(ordering: .relaxed), 1), Self.mostOfOne), Self.leastOfOne) }

    /// Bytes that all have together.
    var bytes: Int { held.load(ordering: .relaxed) }

    var isExhausted: Bool { bytes > Self.limit }

    /// A party holds so many bytes more, or less.
    func hold(_ bytes: Int) {
        held.add(bytes, ordering: .relaxed)
    }

    /// There is a party more to divide the memory among.
    func addParty() {
        parties.add(1, ordering: .relaxed)
    }

    func removeParty() {
        parties.subtract(1, ordering: .relaxed)
    }
}
