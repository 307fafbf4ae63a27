import Foundation
import Platform
import Testing

@Suite struct RandomTests {
    @Test("as many bytes come as were asked for", arguments: [0, 1, 16, 1000])
    func count(count: Int) {
        #expect(SystemRandom.bytes(count).count == count)
    }

    @Test("two draws differ and no byte stays zero")
    func draws() {
        #expect(SystemRandom.bytes(32) != SystemRandom.bytes(32))
        // 64 draws that all leave one given byte at zero: 1 in 2^512.
        let union = (0..<64).map { _ in SystemRandom.bytes(32) }.reduce([UInt8](repeating: 0, count: 32)) { zip($0, $1).map(|) }
        #expect(union.allSatisfy { $0 != 0 })
    }

    @Test("a UUID is version 4, in lower case, and one Foundation reads")
    func uuid() throws {
        for _ in 0..<100 {
            let text = SystemRandom.uuid()
            let parsed = try #require(UUID(uuidString: text))
            #expect(text == parsed.uuidString.lowercased())
            #expect(parsed.uuid.6 >> 4 == 4)
            #expect(parsed.uuid.8 >> 6 == 2)
        }
    }

    @Test("version and variant replace the bits of the bytes and nothing else")
    func uuidFromBytes() {
        #expect(SystemRandom.uuid(from: [UInt8](repeating: 0xff, count: 16)) == "ffffffff-ffff-4fff-bfff-ffffffffffff")
        #expect(SystemRandom.uuid(from: [UInt8](repeating: 0, count: 16)) == "00000000-0000-4000-8000-000000000000")
        #expect(SystemRandom.uuid(from: Array(0..<16)) == "00010203-0405-4607-8809-0a0b0c0d0e0f")
    }

    @Test("the wall clock agrees with Foundation's, and the monotonic clock does not go back")
    func clocks() {
        let before = Int64(Date().timeIntervalSince1970)
        let now = WallClock.now()
        let after = Int64(Date().timeIntervalSince1970)
        #expect((before...after).contains(now.seconds))
        #expect((0..<1_000_000_000).contains(now.nanoseconds))
        let first = MonotonicClock.nanoseconds()
        #expect(MonotonicClock.nanoseconds() >= first)
        #expect(MonotonicClock.seconds() >= first / 1_000_000_000)
    }
}
