import AgentProtocol
import KeyLifecycle
import Platform
import Testing

@testable import Agent

@Suite("How old what the agent knows may be")
struct ViewConfirmationTests {
    static let second: Int64 = 1_000_000_000

    @Test(
        "the age is counted from when the read was sent, by the clock that nobody sets, and rounded up",
        arguments: [
            (0, 0), (1, 1), (second - 1, 1), (second, 1), (second + 1, 2), (75 * second, 75), (75 * second + 1, 76), (-5, 0),
        ] as [(Int64, Int)])
    func age(passed: Int64, secondsAgo: Int) {
        // The wall clock has been set back by a day meanwhile.
        let clock = AgentClock(wall: { Timestamp(seconds: 100_000 - 86_400) }, monotonic: { 10 * Self.second + passed })
        let reading = ViewConfirmation(clock: clock) { 10 * Self.second }.reading
        #expect(reading == .init(at: WireTime(seconds: 100_000 - 86_400 - Int64(secondsAgo)), secondsAgo: secondsAgo))
    }

    @Test("a store that has not been read yet, and one of the agent's own, confirm nothing")
    func nothing() {
        let clock = AgentClock(wall: { Timestamp(seconds: 100_000) }, monotonic: { 0 })
        #expect(ViewConfirmation(clock: clock) { nil }.reading == nil)
        #expect(ViewConfirmation.ownStore.reading == nil)
    }
}
