import Foundation
import TestSupport
import Testing

@testable import AgentProtocol

@Suite("Times")
struct WireTimeTests {
    @Test(
        "a moment is written as RFC 3339 and read back",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (1_795_514_400, "2026-11-24T10:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-62_167_219_200, "0000-01-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
            (-62_162_035_201, "0000-02-29T23:59:59Z"), (68_255_999, "1972-02-29T23:59:59Z"),
        ] as [(Int64, String)])
    func table(_ seconds: Int64, _ text: String) {
        #expect(WireTime(seconds: seconds).text == text)
        #expect(WireTime(text)?.seconds == seconds)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "2026-11-24", "2026-11-24T10:00:00", "2026-11-24t10:00:00z", "2026-11-24T10:00:00.5Z",
            "2026-11-24T10:00:00+00:00", "2026-11-24 10:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
            "+026-01-01T00:00:00Z", "2026-1-01T00:00:00ZZ", "２026-01-01T00:00:00Z",
        ])
    func refused(_ text: String) {
        #expect(WireTime(text) == nil)
    }

    @Test("the calendar agrees with Foundation's over all years")
    func calendar() {
        var random = SeededGenerator(seed: 1)
        let format = Date.ISO8601FormatStyle()
        for _ in 0..<5000 {
            // Foundation's calendar is Julian before 1582.
            let time = WireTime(seconds: .random(in: -12_200_000_000...253_402_300_799, using: &random))
            #expect(time.text == Date(timeIntervalSince1970: Double(time.seconds)).formatted(format))
            #expect(WireTime(time.text) == time)
        }
    }

    @Test("a moment that RFC 3339 cannot write becomes the nearest that it can")
    func clamped() {
        #expect(WireTime(seconds: .max).text == "9999-12-31T23:59:59Z")
        #expect(WireTime(seconds: .min).text == "0000-01-01T00:00:00Z")
    }

    @Test("moments are in order")
    func order() {
        #expect(WireTime(seconds: 1) < WireTime(seconds: 2))
    }

    @Test("a time that is none names its form")
    func wrongTime() {
        struct Timed: Decodable { let at: WireTime }
        let error = #expect(throws: DecodingError.self) { try JSONValue.object([.init("at", "now")]).decode(Timed.self) }
        guard case .dataCorrupted(let context) = error else {
            Issue.record("not corrupted")
            return
        }
        #expect(context.debugDescription == "a UTC time such as \"2026-11-24T10:00:00Z\"")
    }
}
