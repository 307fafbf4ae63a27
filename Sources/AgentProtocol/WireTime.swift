/// A moment in whole seconds since 1970-01-01T00:00:00Z, on the wire `"2026-11-24T10:00:00Z"` (RFC 3339 §5.6, UTC only).
public struct WireTime: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// Within the years 0000 to 9999, which is all that RFC 3339 can write.
    public let seconds: Int64

    /// A moment beyond the years 0000 to 9999 is taken as the nearest one inside them.
    public init(seconds: Int64) {
        self.seconds = min(max(seconds, Self.earliest), Self.latest)
    }

    /// The moment that `text` names; nil unless it is twenty characters of the form `2026-11-24T10:00:00Z` and a date of
    /// the Gregorian calendar. Leap seconds, fractions and offsets are refused.
    public init?(_ text: String) {
        let characters = Array(text.utf8)
        guard characters.count == 20 else { return nil }
        let punctuation = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "Z")] as [(Int, Unicode.Scalar)]
        guard punctuation.allSatisfy({ characters[$0.0] == UInt8(ascii: $0.1) }) else { return nil }

        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for character in characters[range] {
                guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= character else { return nil }
                value = value * 10 + Int64(character - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), 1...12 ~= month,
            day >= 1, day <= Self.days(inMonth: month, of: year), hour < 24, minute < 60, second < 60
        else { return nil }
        seconds = Self.day(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second
    }

    /// The twenty characters of RFC 3339.
    public var text: String {
        let (day, second) = seconds.quotientAndRemainder(dividingBy: 86_400, roundingDown: ())
        let date = Self.date(ofDay: day)
        var characters: [UInt8] = []
        characters.reserveCapacity(20)

        func append(_ value: Int64, _ separator: Unicode.Scalar) {
            characters.append(UInt8(ascii: "0") + UInt8(value / 10))
            characters.append(UInt8(ascii: "0") + UInt8(value % 10))
            characters.append(UInt8(ascii: separator))
        }
        characters.append(UInt8(ascii: "0") + UInt8(date.year / 1000))
        characters.append(UInt8(ascii: "0") + UInt8(date.year / 100 % 10))
        append(date.year % 100, "-")
        append(date.month, "-")
        append(date.day, "T")
        append(second / 3600, ":")
        append(second / 60 % 60, ":")
        append(second % 60, "Z")
        return String(decoding: characters, as: UTF8.self)
    }

    public var description: String { text }

    public static func < (left: WireTime, right: WireTime) -> Bool {
        left.seconds < right.seconds
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let time = WireTime(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a UTC time such as \"2026-11-24T10:00:00Z\"")
        }
        self = time
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    // 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
    private static let earliest: Int64 = -62_167_219_200
    private static let latest: Int64 = 253_402_300_799
}

// MARK: - The Gregorian calendar

// Days are counted from 1970-01-01; months within a year that begins in March, so that the leap day comes last. 400 years
// are always 146,097 days.
extension WireTime {
    private static func day(year: Int64, month: Int64, day: Int64) -> Int64 {
        let marchYear = month > 2 ? year : year - 1
        let (era, yearOfEra) = marchYear.quotientAndRemainder(dividingBy: 400, roundingDown: ())
        let monthFromMarch = (month + 9) % 12
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - daysBefore1970
    }

    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (day + daysBefore1970).quotientAndRemainder(dividingBy: 146_097, roundingDown: ())
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = (monthFromMarch + 2) % 12 + 1
        return (
            year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        )
    }

    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// From 0000-03-01 to 1970-01-01.
    private static let daysBefore1970: Int64 = 719_468
}

extension Int64 {
    /// Quotient and remainder with a remainder that is never negative.
    fileprivate func quotientAndRemainder(
        dividingBy divisor: Int64, roundingDown: Void
    ) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
