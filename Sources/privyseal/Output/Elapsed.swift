import AgentProtocol
import Platform

/// Spans of time for people.
enum Elapsed {
    private static let minute: Int64 = 60
    private static let hour: Int64 = 3600
    private static let day: Int64 = 86_400
    private static let year: Int64 = 365 * 86_400

    /// At most two units, the smaller one only while it matters, by kubectl's thresholds: `119s`, `5m30s`, `47h`, `2d3h`.
    static func rounded(seconds: Int64) -> String {
        // A clock that is a little behind the agent's is no news.
        let seconds = max(seconds, 0)
        switch seconds {
        case ..<(2 * minute): return "\(seconds)s"
        case ..<(10 * minute): return pair(seconds, minute, "m", 1, "s")
        case ..<(3 * hour): return "\(seconds / minute)m"
        case ..<(8 * hour): return pair(seconds, hour, "h", minute, "m")
        case ..<(2 * day): return "\(seconds / hour)h"
        case ..<(8 * day): return pair(seconds, day, "d", hour, "h")
        case ..<(2 * year): return "\(seconds / day)d"
        case ..<(8 * year): return pair(seconds, year, "y", day, "d")
        default: return "\(seconds / year)y"
        }
    }

    /// Every second of it, as the settings are written: `1h30m`.
    static func exact(seconds: Int64) -> String {
        DurationText.format(seconds: seconds)
    }

    /// A moment with its distance from now: `2026-11-24T10:00:00Z (in 23h)`.
    static func moment(_ time: WireTime, now: WireTime) -> String {
        time > now
            ? "\(time.text) (in \(rounded(seconds: time.seconds - now.seconds)))"
            : "\(time.text) (\(rounded(seconds: now.seconds - time.seconds)) ago)"
    }

    private static func pair(
        _ seconds: Int64, _ unit: Int64, _ letter: String, _ smaller: Int64, _ smallerLetter: String
    ) -> String {
        let rest = seconds % unit / smaller
        return "\(seconds / unit)\(letter)" + (rest == 0 ? "" : "\(rest)\(smallerLetter)")
    }
}
