import AgentProtocol

extension FuzzTarget {
    /// The first byte sets the limit, each further one at the front of a piece how long the piece is.
    static let framing = FuzzTarget("framing", "cutting a byte stream into lines", longestInput: 2_048) {
        input throws(Violation) in
        guard let first = input.first else { return }
        let limit = Int(first % 64)
        var framer = LineFramer(limit: limit)
        var frames: [LineFramer.Frame] = []
        var stream: [UInt8] = []
        var rest = input.dropFirst()
        while let length = rest.popFirst() {
            let piece = Array(rest.prefix(Int(length)))
            rest = rest.dropFirst(piece.count)
            stream += piece
            framer.feed(piece)
            // Frames may also be taken later: some pieces are fed on top.
            if length % 3 != 0 {
                while let frame = framer.next() { frames.append(frame) }
            }
        }
        while let frame = framer.next() { frames.append(frame) }
        try require(frames == Self.frames(of: stream, limit: limit), "the frames depend on how the bytes came in")
    }

    /// What a stream holds, seen at once.
    private static func frames(of stream: [UInt8], limit: Int) -> [LineFramer.Frame] {
        var lines = stream.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // What has no end yet is no line; but if it is too long already, that is said at once.
        let open = lines.removeLast()
        return lines.map { $0.count > limit ? .tooLong : .line(Array($0)) } + (open.count > limit ? [.tooLong] : [])
    }
}
