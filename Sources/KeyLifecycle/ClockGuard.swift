/// Decides whether the wall clock can be trusted with transitions that happen by time alone.
///
/// A clock that moves against the monotonic clock, at once or in steps, or that starts before the last committed moment,
/// would retire keys too early: until it agrees again, or an operator accepts it, timed transitions wait. Signing goes on.
///
/// The wall clock is held against where it stood at the start, or when an operator accepted it, and not against where it was
/// last seen: many small steps are one large one. From there it may go its own way as fast as ``rate`` says, which is
/// what a clock is corrected by for good, and be ``tolerance`` away from that.
public struct ClockGuard: Sendable {
    /// Why the clock is not trusted.
    public enum Doubt: Hashable, Sendable {
        /// It stands this many seconds from where the monotonic clock says it should, negative when behind.
        case jumped(seconds: Int)
        /// It stands this many seconds before the last committed moment.
        case beforeLastChange(seconds: Int)
        /// Another agent of the fleet has a clock that is this many seconds ahead of it, negative when behind.
        case differs(from: String, seconds: Int)
    }

    /// Seconds of disagreement that are put down to adjustment.
    public static let tolerance = 60

    /// Millionths of the time that passes by which the wall clock may leave the monotonic one for good: the most by which the
    /// kernel corrects a clock's frequency (adjtimex(2)), and so the worst clock that is taken for one.
    ///
    /// What adjtime(3), an NTP daemon or a smeared leap second slew, at whatever rate, is no difference at all, since Linux
    /// slews its monotonic clock with the wall clock. This is for machines whose clock runs free and is set in small steps.
    public static let rate: Int64 = 500

    private static let second: Int64 = 1_000_000

    private let lastChange: Timestamp?
    private var caughtUp = false
    private var reference: Reference?
    public private(set) var doubt: Doubt?

    /// Where the wall clock is expected.
    private struct Reference {
        /// Wall clock minus monotonic clock, in microseconds.
        var offset: Int64
        /// When it was last taken along, in seconds of the monotonic clock.
        var at: Int64
    }

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
        guard var reference else { return accept(wall: wall, monotonic: monotonic) }
        let distance = (wall.seconds - monotonic) * Self.second - reference.offset
        // A clock in doubt is waited for where it should be, however long it stays away.
        let most = doubt == nil ? Self.rate * max(monotonic - reference.at, 0) : 0
        let taken = min(max(distance, -most), most)
        reference.offset += taken
        reference.at = monotonic
        self.reference = reference
        let isAway = abs(distance - taken) > Int64(Self.tolerance) * Self.second
        doubt = isAway ? .jumped(seconds: Int((Double(distance) / Double(Self.second)).rounded())) : nil
    }

    /// The latest that it can be: what the wall clock shows, or what it should show when it has been set back.
    public func latest(wall: Timestamp, monotonic: Int64) -> Timestamp {
        guard let reference else { return wall }
        return max(wall, Timestamp(seconds: monotonic + (reference.offset + Self.second - 1) / Self.second))
    }

    /// An operator takes the wall clock as right as it stands.
    public mutating func accept(wall: Timestamp, monotonic: Int64) {
        caughtUp = true
        reference = Reference(offset: (wall.seconds - monotonic) * Self.second, at: monotonic)
        doubt = nil
    }
}
