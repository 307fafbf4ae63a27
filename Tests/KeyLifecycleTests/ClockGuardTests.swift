import KeyLifecycle
import TestSupport
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
                testDescription: "steps that are small add up to a jump",
                readings: [
                    (0, 0, nil), (50, 0, nil), (61, 0, .jumped(seconds: 61)), (200, 0, .jumped(seconds: 200)), (60, 0, nil),
                    (0, 0, nil), (-50, 0, nil), (-61, 0, .jumped(seconds: -61)),
                ]),
            Case(
                testDescription: "a clock in doubt is not followed, however long it stays away",
                readings: [
                    (0, 0, nil), (61, 0, .jumped(seconds: 61)), (100 * day + 61, Int64(100 * day), .jumped(seconds: 61)),
                    (100 * day, Int64(100 * day), nil),
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

    @Test("22 steps of 55 s in 25 s are doubted from the second on, since they sum up", arguments: [55, -55])
    func creeping(step: Int) {
        var clock = ClockGuard(lastChange: nil)
        clock.observe(wall: start, monotonic: 0)
        for number in 1...22 {
            clock.observe(wall: start + number * (step + 1), monotonic: Int64(number))
            #expect(clock.isTrusted == (number == 1))
        }
        #expect(clock.doubt == .jumped(seconds: 22 * step))
    }

    @Test("the latest that it can be is what a clock that was set back should show, and what one that was set ahead does")
    func latest() {
        var clock = ClockGuard(lastChange: nil)
        #expect(clock.latest(wall: start, monotonic: 5) == start)
        clock.observe(wall: start, monotonic: 5)
        for wall in [start + -hour, start + 20, start + hour] {
            clock.observe(wall: wall, monotonic: 25)
            #expect(clock.latest(wall: wall, monotonic: 25) == max(wall, start + 20))
        }
    }

    @Test("an operator who accepts a clock begins the sum anew, and takes nothing else along")
    func creepingAfterAcceptance() {
        var clock = ClockGuard(lastChange: nil)
        clock.observe(wall: start, monotonic: 0)
        clock.observe(wall: start + 50, monotonic: 0)
        clock.accept(wall: start + 50, monotonic: 0)
        clock.observe(wall: start + 110, monotonic: 0)
        #expect(clock.isTrusted)
        clock.observe(wall: start + 111, monotonic: 0)
        #expect(clock.doubt == .jumped(seconds: 61))
    }

    struct Drift: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Millionths by which the wall clock runs fast.
        let rate: Int64
        /// Seconds between settings of it, before which it stands as the monotonic clock does.
        let interval: Int64
        let isTrusted: Bool
    }

    @Test(
        "over a year, a clock that drifts as clocks do is trusted, and one that is driven is not",
        arguments: [
            Drift(testDescription: "a good clock", rate: 20, interval: 3_600, isTrusted: true),
            Drift(testDescription: "a bad clock, set every hour", rate: 400, interval: 3_600, isTrusted: true),
            Drift(testDescription: "the worst clock, set every day", rate: 500, interval: 86_400, isTrusted: true),
            Drift(testDescription: "the worst clock the other way", rate: -500, interval: 86_400, isTrusted: true),
            Drift(testDescription: "86 s a day", rate: 1_000, interval: 1, isTrusted: false),
            Drift(testDescription: "86 s a day the other way", rate: -1_000, interval: 1, isTrusted: false),
        ])
    func drift(row: Drift) {
        var clock = ClockGuard(lastChange: nil)
        var monotonic: Int64 = 0
        var isTrusted = true
        while monotonic < 365 * 86_400, isTrusted {
            let ahead = monotonic / row.interval * row.interval * row.rate / 1_000_000
            clock.observe(wall: Timestamp(seconds: monotonic + ahead), monotonic: monotonic)
            isTrusted = clock.isTrusted
            monotonic += max(row.interval / 4, 60)
        }
        #expect(isTrusted == row.isTrusted)
    }

    @Test("whatever a trusted clock does, between two moments it is never further ahead than tolerance and rate allow")
    func bounds() {
        var generator = SeededGenerator(seed: 7)
        for _ in 1...200 {
            var clock = ClockGuard(lastChange: nil)
            var (wall, monotonic) = (start, Int64(0))
            var trusted: [(ahead: Int64, monotonic: Int64)] = []
            for _ in 1...100 {
                clock.observe(wall: wall, monotonic: monotonic)
                if clock.isTrusted { trusted.append((wall.seconds - monotonic, monotonic)) }
                let passed = Int.random(in: 0...600, using: &generator)
                monotonic += Int64(passed)
                wall = wall + passed + Int.random(in: -20...58, using: &generator)
            }
            let excesses = trusted.indices.flatMap { first in
                trusted[first...].map { later in
                    // From one end of what is tolerated to the other.
                    let passed = later.monotonic - trusted[first].monotonic
                    return later.ahead - trusted[first].ahead - 2 * Int64(ClockGuard.tolerance)
                        - passed * ClockGuard.rate / 1_000_000 - 1
                }
            }
            #expect((excesses.max() ?? 0) <= 0)
            #expect(trusted.count > 1)
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
