/// How people write a duration: `90s`, `15m`, `24h`, `1h30m`, `7d`.
public enum DurationText {
    private static let units: [(letter: UInt8, seconds: Int64)] = [
        (UInt8(ascii: "d"), 86_400), (UInt8(ascii: "h"), 3600), (UInt8(ascii: "m"), 60), (UInt8(ascii: "s"), 1),
    ]

    private static let hint = "write a number with its unit, larger units first: 90s, 15m, 24h, 1h30m, 7d"

    /// The seconds a text stands for.
    ///
    /// Whole numbers, each with its unit (`d` of 24 hours, `h`, `m`, `s`), every unit once at most and larger ones first. A bare number is
    /// refused: nobody can tell its unit. Throws ``PlatformError`` with the code `malformed`, or `tooLong` beyond `Int64`.
    public static func parse(_ text: String) throws(PlatformError) -> Int64 {
        var total: Int64 = 0
        var number: Int64?
        var nextUnit = 0
        for byte in text.utf8 {
            if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                number = try combine(number ?? 0, times: 10, plus: Int64(byte - UInt8(ascii: "0")), in: text)
                continue
            }
            guard let unit = units.firstIndex(where: { $0.letter == byte }) else {
                throw PlatformError(.malformed, "\"\(text)\" is not a duration", hint: hint)
            }
            guard let amount = number, unit >= nextUnit else {
                throw PlatformError(.malformed, "\"\(text)\" is not a duration", hint: hint)
            }
            total = try combine(amount, times: units[unit].seconds, plus: total, in: text)
            number = nil
            nextUnit = unit + 1
        }
        guard number == nil else {
            throw PlatformError(.malformed, "\"\(text)\" has a number without a unit", hint: hint)
        }
        guard nextUnit > 0 else {
            throw PlatformError(.malformed, "\"\(text)\" is not a duration", hint: hint)
        }
        return total
    }

    /// The shortest text that ``parse(_:)`` reads as `seconds`; days are used from two days on, so a day stays `24h`.
    ///
    /// A negative number gets a leading `-`, which ``parse(_:)`` does not take.
    public static func format(seconds: Int64) -> String {
        guard seconds != 0 else { return "0s" }
        var rest = seconds.magnitude
        var text = seconds < 0 ? "-" : ""
        for unit in units where unit.seconds < 86_400 || rest >= 2 * 86_400 {
            let (count, remainder) = rest.quotientAndRemainder(dividingBy: UInt64(unit.seconds))
            if count > 0 { text += "\(count)\(Character(UnicodeScalar(unit.letter)))" }
            rest = remainder
        }
        return text
    }

    private static func combine(
        _ value: Int64, times factor: Int64, plus addend: Int64, in text: String
    ) throws(PlatformError) -> Int64 {
        let (product, overflowed) = value.multipliedReportingOverflow(by: factor)
        let (sum, carried) = product.addingReportingOverflow(addend)
        guard !overflowed, !carried else {
            throw PlatformError(.tooLong, "\"\(text)\" is longer than can be counted", hint: hint)
        }
        return sum
    }
}
