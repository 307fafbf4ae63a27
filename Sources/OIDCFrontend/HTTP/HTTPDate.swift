import AgentProtocol

/// The date of a response as HTTP writes it (RFC 9110 §5.6.7), made anew once a second at most.
struct HTTPDate {
    private var last: (seconds: Int64, text: String)?

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, for seconds since 1970.
    mutating func text(at seconds: Int64) -> String {
        if let last, last.seconds == seconds { return last.text }
        let text = Self.format(seconds)
        last = (seconds, text)
        return text
    }

    // 1970-01-01 was a Thursday.
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func format(_ seconds: Int64) -> String {
        let parts = WireTime(seconds: seconds).text.split { "-T:Z".contains($0) }
        // Never negative, for the days before 1970 too.
        let second = (seconds % 86_400 + 86_400) % 86_400
        let weekday = days[Int(((seconds - second) / 86_400 % 7 + 7) % 7)]
        let month = months[(Int(parts[1]) ?? 1) - 1]
        return "\(weekday), \(parts[2]) \(month) \(parts[0]) \(parts[3]):\(parts[4]):\(parts[5]) GMT"
    }
}
