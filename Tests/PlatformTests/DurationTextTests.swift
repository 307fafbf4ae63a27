import Platform
import Testing

@Suite struct DurationTextTests {
    @Test(
        "a duration is a sum of numbers with their units",
        arguments: [
            ("0s", 0), ("90s", 90), ("15m", 900), ("1h", 3600), ("24h", 86_400), ("1h30m", 5400), ("7d", 604_800),
            ("1d1h1m1s", 90_061),
            ("100m", 6000), ("9223372036854775807s", Int64.max),
        ])
    func parse(text: String, seconds: Int64) throws {
        #expect(try DurationText.parse(text) == seconds)
    }

    @Test(
        "anything else is refused",
        arguments: ["", "10", "h", "1 h", "1h30", "30m1h", "1h1h", "-1h", "1.5h", "1w", "1H", " 1h", "1h ", "+1h", "١h"])
    func malformed(text: String) {
        #expect(throws: PlatformError(.malformed, "", hint: "")) { try DurationText.parse(text) }
    }

    @Test(
        "what cannot be counted in 64 bits is refused",
        arguments: ["9223372036854775808s", "106751991167301d", "1d9223372036854775807s"])
    func overflow(text: String) {
        #expect(throws: PlatformError(.tooLong, "", hint: "")) { try DurationText.parse(text) }
    }

    @Test(
        "durations are written short, and a day as 24h",
        arguments: [
            (0, "0s"), (59, "59s"), (60, "1m"), (5400, "1h30m"), (86_400, "24h"), (90_000, "25h"), (172_800, "2d"),
            (604_800, "7d"),
            (176_461, "2d1h1m1s"), (-90, "-1m30s"),
        ])
    func format(seconds: Int64, text: String) {
        #expect(DurationText.format(seconds: seconds) == text)
    }

    @Test("what is written is read back", arguments: [0, 1, 61, 3599, 86_399, 86_401, 172_799, 172_801, Int64.max])
    func roundTrip(seconds: Int64) throws {
        #expect(try DurationText.parse(DurationText.format(seconds: seconds)) == seconds)
    }
}
