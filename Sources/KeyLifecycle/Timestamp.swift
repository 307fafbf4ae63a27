/// A moment of the wall clock, in whole seconds since 1970-01-01T00:00:00Z, the resolution of a JWT's dates
/// (RFC 7519 §2, NumericDate).
public struct Timestamp: Hashable, Comparable, Sendable {
    public let seconds: Int64

    public init(seconds: Int64) {
        self.seconds = seconds
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.seconds < right.seconds
    }

    /// The moment `seconds` later.
    public static func + (moment: Timestamp, seconds: Int) -> Timestamp {
        Timestamp(seconds: moment.seconds + Int64(seconds))
    }

    /// Seconds from `earlier` to `later`.
    public static func - (later: Timestamp, earlier: Timestamp) -> Int {
        Int(later.seconds - earlier.seconds)
    }
}
