public import KeyLifecycle

/// The clocks of an agent. Everything in it that depends on time asks here.
public struct AgentClock: Sendable {
    /// The wall clock.
    public let wall: @Sendable () -> Timestamp
    /// Nanoseconds from an arbitrary start, counting while the machine sleeps.
    public let monotonic: @Sendable () -> Int64

    public init(wall: @escaping @Sendable () -> Timestamp, monotonic: @escaping @Sendable () -> Int64) {
        self.wall = wall
        self.monotonic = monotonic
    }

    /// Whole seconds of the monotonic clock.
    var monotonicSeconds: Int64 { monotonic() / 1_000_000_000 }
}
