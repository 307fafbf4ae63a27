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

    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func format(_ seconds: Int64) -> String {
        // The era begins on 1 March of year 0, so that a leap day is the last of its year.
        let day = floorDivide(seconds, 86_400)
        let second = seconds - day * 86_400
        let shifted = day + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = (monthFromMarch + 2) % 12
        let year = era * 400 + yearOfEra + (monthFromMarch >= 10 ? 1 : 0)
        let weekday = days[Int(day - floorDivide(day, 7) * 7)]
        return "\(weekday), \(two(dayOfMonth)) \(months[Int(month)]) \(four(year)) "
            + "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)) GMT"
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value / divisor - (value % divisor < 0 ? 1 : 0)
    }

    private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    private static func four(_ value: Int64) -> String {
        String(repeating: "0", count: max(0, 4 - "\(value)".count)) + "\(value)"
    }
}
