import FoundationEssentials

/// Times as RFC 3339 writes them, in UTC with milliseconds: `2026-01-02T03:04:05.678Z`.
enum RFC3339 {
    /// The text of a time since 1970-01-01T00:00:00Z, in the Gregorian calendar, which begins in 1582. Years have four digits up to
    /// 9999, more beyond.
    static func text(seconds: Int64, nanoseconds: Int32 = 0) -> String {
        // Whole seconds only: the milliseconds that Foundation writes are cut off a binary fraction, every other time one too few.
        let second = Date.ISO8601FormatStyle().format(Date(timeIntervalSince1970: Double(seconds))).dropLast()
        let fraction = String(nanoseconds / 1_000_000)
        return second + "." + String(repeating: "0", count: 3 - fraction.count) + fraction + "Z"
    }
}
