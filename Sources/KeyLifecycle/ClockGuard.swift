/// Decides whether the wall clock can be trusted with transitions that happen by time alone.
///
/// A clock that jumps against the monotonic clock, or that starts before the last committed moment, would retire keys too
/// early: until it agrees again, or an operator accepts it, timed transitions wait. Signing goes on.
public struct ClockGuard: Sendable {
    /// Why the clock is not trusted.
    public enum Doubt: Hashable, Sendable {
        /// It stands this many seconds from where the monotonic clock says it should, negative when behind.
        case jumped(seconds: Int)
        /// It stands this many seconds before the last committed moment.
        case beforeLastChange(seconds: Int)
    }

    /// Seconds of disagreement that are put down to adjustment.
    public static let tolerance = 60

    private let lastChange: Timestamp?
    private var caughtUp = false
    /// Wall clock minus monotonic clock, in seconds, when they last agreed.
    private var offset: Int64?
    public private(set) var doubt: Doubt?

    /// - Parameter lastChange: the last committed moment of the store, if it has one.
    public init(lastChange: Timestamp?) {
        self.lastChange = lastChange
    }

    /// Whether timed transitions may go ahead.
    public var isTrusted: Bool { doubt == nil }

    /// Takes a reading of both clocks.
    ///
    /// - Parameter monotonic: seconds from an arbitrary start, counting while the machine sleeps.
    public mutating func observe(wall: Timestamp, monotonic: Int64) {
        if !caughtUp, let lastChange, wall < lastChange {
            doubt = .beforeLastChange(seconds: lastChange - wall)
            return
        }
        caughtUp = true
        let current = wall.seconds - monotonic
        let jump = current - (offset ?? current)
        if abs(jump) > Self.tolerance {
            doubt = .jumped(seconds: Int(jump))
        } else {
            offset = current
            doubt = nil
        }
    }

    /// An operator takes the wall clock as right as it stands.
    public mutating func accept(wall: Timestamp, monotonic: Int64) {
        caughtUp = true
        offset = wall.seconds - monotonic
        doubt = nil
    }
}
