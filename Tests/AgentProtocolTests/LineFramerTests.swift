import TestSupport
import Testing

@testable import AgentProtocol

@Suite("Line framing")
struct LineFramerTests {
    @Test(
        "lines come out as they were fed",
        arguments: [
            ([""], []), (["a"], []), (["a\n"], ["a"]), (["a\nb\n"], ["a", "b"]), (["a\nb"], ["a"]),
            (["a", "b\nc", "\n"], ["ab", "c"]),
            (["\n"], [""]), (["\n\n"], ["", ""]), (["a\r\n"], ["a\r"]), (["a", "\n"], ["a"]), (["", "a\n", ""], ["a"]),
            (["12345678\n"], ["12345678"]), (["123456789\n"], [nil]), (["123456789"], [nil]),
            (["1234567890", "12\n", "a\n"], [nil, "a"]),
            (["12345678", "9", "\n", "b\n"], [nil, "b"]), (["123456789\nok\n123456789\n"], [nil, "ok", nil]),
            (["x\n123456789", "123456789", "123456789\ny\n"], ["x", nil, "y"]), (["12345678", "\n"], ["12345678"]),
        ] as [([String], [String?])])
    func table(_ chunks: [String], _ expected: [String?]) {
        var framer = LineFramer(limit: 8)
        var frames: [LineFramer.Frame] = []
        for chunk in chunks {
            framer.feed(Array(chunk.utf8))
            while let frame = framer.next() { frames.append(frame) }
        }
        #expect(frames == expected.map { $0.map { .line(Array($0.utf8)) } ?? .tooLong })
    }

    @Test("how the stream is cut makes no difference", arguments: 0..<50 as Range<UInt64>)
    func chunking(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let lines: [[UInt8]] = (0..<40).map { _ in
            (0..<Int.random(in: 0...24, using: &random)).map { _ in UInt8.random(in: 11...255, using: &random) }
        }
        let stream: [UInt8] = lines.flatMap { $0 + [10] }
        var framer = LineFramer(limit: 16)
        var frames: [LineFramer.Frame] = []
        var rest = stream[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(.random(in: 0...[1, 5, 100].randomElement(using: &random)!, using: &random))
            rest = rest.dropFirst(chunk.count)
            framer.feed(Array(chunk))
            // Not every chunk is drained before the next comes.
            while Int.random(in: 0..<4, using: &random) > 0, let frame = framer.next() { frames.append(frame) }
        }
        while let frame = framer.next() { frames.append(frame) }
        #expect(frames == lines.map { $0.count > 16 ? .tooLong : .line($0) })
    }

    @Test("the limit counts the bytes of a line without its LF")
    func limit() {
        var framer = LineFramer()
        framer.feed([UInt8](repeating: 32, count: ProtocolLimits.requestLine) + [10])
        #expect(framer.next() == .line([UInt8](repeating: 32, count: ProtocolLimits.requestLine)))
        framer.feed([UInt8](repeating: 32, count: ProtocolLimits.requestLine + 1))
        #expect(framer.next() == .tooLong)
        #expect(framer.next() == nil)
    }
}
