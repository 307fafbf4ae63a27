/// Cuts the body of a watch into its lines, wherever it was split on the way. Bytes in, lines out, no I/O.
package struct WatchFramer {
    package struct TooLong: Error {}

    private let limit: Int
    private var rest: [UInt8] = []

    package init(limit: Int) {
        self.limit = limit
    }

    /// The lines that these bytes complete, without the empty ones.
    ///
    /// - Throws: `TooLong` once a line has more bytes than the limit, whether it is complete or not; nothing can be read any more.
    package mutating func feed(_ bytes: some Collection<UInt8>) throws(TooLong) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            rest += bytes[start..<end]
            if rest.last == UInt8(ascii: "\r") { rest.removeLast() }
            guard rest.count <= limit else { throw TooLong() }
            if !rest.isEmpty { lines.append(rest) }
            rest.removeAll(keepingCapacity: true)
            start = bytes.index(after: end)
        }
        rest += bytes[start...]
        guard rest.count <= limit else { throw TooLong() }
        return lines
    }
}
