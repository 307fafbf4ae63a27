/// How long to wait before the next attempt to reach the agent: 100 ms, doubled with each failure, 5 s at most.
struct Backoff: Sendable {
    static let first = Duration.milliseconds(100)
    static let longest = Duration.seconds(5)

    private var next = first

    /// The wait before the attempt after this failure. `random`, from 0 to 1, takes off up to half of it, so that frontends
    /// that lost the same agent do not come back together.
    mutating func failed(random: Double) -> Duration {
        defer { next = min(next * 2, Self.longest) }
        return next * (1 - min(max(random, 0), 1) / 2)
    }

    /// The agent was reached.
    mutating func succeeded() {
        next = Self.first
    }
}
