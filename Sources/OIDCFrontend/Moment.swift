public import AgentProtocol

/// A moment of the wall clock: time since 1970-01-01T00:00:00Z, leap seconds left out.
public struct Moment: Hashable, Comparable, Sendable {
    /// Negative before 1970.
    public let seconds: Int64
    /// 0 to 999,999,999, on top of `seconds`.
    public let nanoseconds: Int32

    /// `nanoseconds` is from 0 to 999,999,999.
    public init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// The start of the second that the protocol writes.
    public init(_ time: WireTime) {
        self.init(seconds: time.seconds)
    }

    /// The second this moment lies in.
    public var wireTime: WireTime { WireTime(seconds: seconds) }

    /// Whether `time` is now or in the past.
    public func hasReached(_ time: WireTime) -> Bool {
        time.seconds <= seconds
    }

    /// Whole seconds left until `time`, rounded down so that nothing lasts beyond it; 0 when it has been reached.
    public func wholeSeconds(until time: WireTime) -> Int64 {
        max(0, time.seconds - seconds - (nanoseconds > 0 ? 1 : 0))
    }

    /// Earlier is less.
    public static func < (left: Moment, right: Moment) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}
