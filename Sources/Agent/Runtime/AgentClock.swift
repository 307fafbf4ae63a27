public import KeyLifecycle

/// The clocks of an agent. Everything in it that depends on time asks here.
public struct AgentClock: Sendable {
    /// The wall clock.
    public let wall: @Sendable () -> Timestamp
    /// Nanoseconds from an arbitrary start, counting while the machine sleeps.
    public let monotonic: @Sendable () -> Int64
    /// Milliseconds since 1970 by the wall clock, for records that people put in order.
    let wallMilliseconds: @Sendable () -> Int64

    /// - Parameter wallMilliseconds: whole seconds unless given.
    public init(
        wall: @escaping @Sendable () -> Timestamp, monotonic: @escaping @Sendable () -> Int64,
        wallMilliseconds: (@Sendable () -> Int64)? = nil
    ) {
        self.wall = wall
        self.monotonic = monotonic
        self.wallMilliseconds = wallMilliseconds ?? { wall().seconds * 1_000 }
    }

    /// Whole seconds of the monotonic clock.
    var monotonicSeconds: Int64 { monotonic() / 1_000_000_000 }
}
