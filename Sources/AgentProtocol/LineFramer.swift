/// Cuts a byte stream into LF-ended lines, without I/O: feed it what was read, then take lines until there is none.
///
/// An empty line is a line like any other. A line over the limit is announced once and its bytes are dropped until its LF,
/// so that memory stays bounded and the connection lives on. Bytes after the last LF stay until their line is complete.
public struct LineFramer: Sendable {
    public enum Frame: Sendable, Equatable {
        /// A line without its LF.
        case line([UInt8])
        /// A line has more bytes than the limit; no part of it follows.
        case tooLong
    }

    /// Bytes a line may have, its LF not counted.
    public let limit: Int

    private var buffer: [UInt8] = []
    /// Where the next line begins.
    private var start = 0
    /// Up to where there is no LF.
    private var scanned = 0
    /// Whether the rest of a line that was too long is still to come.
    private var isSkipping = false

    /// Bytes that have been taken in and not handed out.
    public var count: Int { buffer.count - start }

    public init(limit: Int = ProtocolLimits.requestLine) {
        self.limit = limit
    }

    /// Takes bytes in. Frames not yet taken stay in front of them.
    public mutating func feed(_ bytes: [UInt8]) {
        guard start < buffer.count else {
            buffer = bytes
            start = 0
            scanned = 0
            return
        }
        if start > 0 {
            buffer.removeSubrange(..<start)
            scanned -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next frame; nil until more bytes are fed.
    public mutating func next() -> Frame? {
        while let end = nextLineFeed() {
            scanned = end + 1
            if isSkipping {
                isSkipping = false
                start = scanned
            } else if end - start > limit {
                start = scanned
                return .tooLong
            } else {
                return .line(take(to: end))
            }
        }
        scanned = buffer.count
        if isSkipping {
            discard()
        } else if scanned - start > limit {
            isSkipping = true
            discard()
            return .tooLong
        }
        return nil
    }

    private func nextLineFeed() -> Int? {
        let bytes = buffer.span
        var position = scanned
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "\n") { return position }
            position += 1
        }
        return nil
    }

    /// The line that ends before `end`. A buffer that holds just this line is handed out without a copy.
    private mutating func take(to end: Int) -> [UInt8] {
        guard start == 0, scanned == buffer.count else {
            let line = Array(buffer[start..<end])
            start = scanned
            return line
        }
        var line: [UInt8] = []
        swap(&line, &buffer)
        line.removeLast()
        start = 0
        scanned = 0
        return line
    }

    private mutating func discard() {
        buffer.removeAll()
        start = 0
        scanned = 0
    }
}
