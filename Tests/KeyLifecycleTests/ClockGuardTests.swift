import KeyLifecycle
import Testing

@Suite("clock guard")
struct ClockGuardTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Seconds after `start` of the last committed moment.
        var lastChange: Int?
        /// Readings: the wall clock in seconds after `start`, the monotonic clock, and what is to be doubted then.
        let readings: [(wall: Int, monotonic: Int64, doubt: ClockGuard.Doubt?)]
    }

    @Test(
        "readings of both clocks are judged as they come",
        arguments: [
            Case(testDescription: "two clocks that agree", readings: [(0, 5, nil), (10, 15, nil), (100_000, 100_005, nil)]),
            Case(testDescription: "a minute forward is adjustment", readings: [(0, 0, nil), (70, 10, nil)]),
            Case(testDescription: "a minute back is adjustment", readings: [(0, 0, nil), (-50, 10, nil)]),
            Case(testDescription: "61 s forward is a jump", readings: [(0, 0, nil), (71, 10, .jumped(seconds: 61))]),
            Case(testDescription: "61 s back is a jump", readings: [(0, 0, nil), (-51, 10, .jumped(seconds: -61))]),
            Case(
                testDescription: "a jump stays one until the clocks agree again",
                readings: [
                    (0, 0, nil), (day, 10, .jumped(seconds: day - 10)), (day + 90, 100, .jumped(seconds: day - 10)),
                    (110, 110, nil), (120, 120, nil),
                ]),
            Case(
                testDescription: "years back are a jump",
                readings: [(0, 0, nil), (-1_700_000_000, 1, .jumped(seconds: -1_700_000_001)), (2, 2, nil)]),
            Case(
                testDescription: "drift adds up without becoming a jump",
                readings: [
                    (0, 0, nil), (50, 0, nil), (100, 0, nil), (150, 0, nil), (200, 0, nil), (261, 0, .jumped(seconds: 61)),
                ]),
            Case(
                testDescription: "a machine that slept has both clocks go on",
                readings: [(0, 0, nil), (30 * day, Int64(30 * day), nil)]),
            Case(
                testDescription: "a start before the last change is doubted until the clock has caught up", lastChange: 100,
                readings: [
                    (0, 0, .beforeLastChange(seconds: 100)), (99, 99, .beforeLastChange(seconds: 1)), (100, 100, nil),
                    (101, 101, nil),
                ]),
            Case(
                testDescription: "a clock that was set right after such a start is trusted", lastChange: 3 * day,
                readings: [(0, 0, .beforeLastChange(seconds: 3 * day)), (4 * day, 10, nil), (4 * day + 90, 100, nil)]),
            Case(testDescription: "a start at the last change", lastChange: 0, readings: [(0, 0, nil)]),
            Case(testDescription: "a start after the last change", lastChange: -5 * day, readings: [(0, 0, nil)]),
            Case(
                testDescription: "a clock that falls behind the last change later has jumped", lastChange: 0,
                readings: [(0, 0, nil), (-200, 10, .jumped(seconds: -210))]),
        ])
    func readings(_ row: Case) {
        var clock = ClockGuard(lastChange: row.lastChange.map { start + $0 })
        #expect(clock.isTrusted)
        for reading in row.readings {
            clock.observe(wall: start + reading.wall, monotonic: reading.monotonic)
            #expect(clock.doubt == reading.doubt)
            #expect(clock.isTrusted == (reading.doubt == nil))
        }
    }

    @Test("an operator accepts a clock that has jumped, and the next jump is told from there")
    func acceptJump() {
        var clock = ClockGuard(lastChange: nil)
        clock.observe(wall: start, monotonic: 0)
        clock.observe(wall: start + day, monotonic: 10)
        #expect(!clock.isTrusted)
        clock.accept(wall: start + day, monotonic: 10)
        #expect(clock.isTrusted)
        clock.observe(wall: start + day + 90, monotonic: 100)
        #expect(clock.isTrusted)
        clock.observe(wall: start, monotonic: 110)
        #expect(clock.doubt == .jumped(seconds: -day - 100))
    }

    @Test("an operator accepts a clock that stands before the last change")
    func acceptEarlyStart() {
        var clock = ClockGuard(lastChange: start + day)
        clock.observe(wall: start, monotonic: 0)
        #expect(clock.doubt == .beforeLastChange(seconds: day))
        clock.accept(wall: start, monotonic: 0)
        clock.observe(wall: start + 10, monotonic: 10)
        #expect(clock.isTrusted)
    }
}
