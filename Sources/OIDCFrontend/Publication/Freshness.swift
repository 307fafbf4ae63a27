import AgentProtocol

/// How old what is served may be, in seconds and by clocks that are given.
enum Freshness {
    /// For the word of an agent whose store is its own, which nobody else changes.
    static let ownStore = Int64(FrontendStaleness.ownStore)
    /// For the word of one that shares its store: others change it, and relying parties must not go on with what they revoked.
    static let sharedStore = Int64(FrontendStaleness.sharedStore)

    /// The seconds between two readings, in nanoseconds, of one clock: begun ones count.
    static func seconds(from start: Int64, to end: Int64) -> Int64 {
        let (seconds, rest) = (end - start).quotientAndRemainder(dividingBy: 1_000_000_000)
        return seconds + (rest > 0 ? 1 : 0)
    }

    /// Whether more than `limit` seconds have passed between the two readings.
    static func isOver(_ limit: Int64, from start: Int64, to end: Int64) -> Bool {
        seconds(from: start, to: end) > limit
    }
}
