import Agent

extension FuzzTarget {
    /// A pattern, a line feed, and the text it is held against.
    static let glob = FuzzTarget("glob", "the patterns of access rules", longestInput: 64) { input throws(Violation) in
        let sides = input.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2, let pattern = String(validating: sides[0], as: UTF8.self),
            let text = String(validating: sides[1], as: UTF8.self)
        else { return }
        guard let glob = Glob(pattern) else {
            let others = Array("?[]{}\\".utf8)
            return try require(sides[0].isEmpty || sides[0].contains { others.contains($0) }, "refused: \(pattern)")
        }
        try require(glob.matches(text) == matches(sides[0], sides[1]), "\(pattern) against \(text)")
        try require(glob.isAny == sides[0].allSatisfy { $0 == UInt8(ascii: "*") }, "\(pattern) is taken for another")
    }

    /// By the meaning of the words, at any cost.
    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        // Row by row: which beginnings of the text a beginning of the pattern stands for.
        var row = [true] + [Bool](repeating: false, count: text.count)
        for byte in pattern {
            var next = [Bool](repeating: false, count: text.count + 1)
            for (length, isReached) in row.enumerated() {
                if byte == UInt8(ascii: "*") {
                    next[length] = isReached || (length > 0 && next[length - 1])
                } else if length > 0 {
                    next[length] = row[length - 1] && text[text.startIndex + length - 1] == byte
                }
            }
            row = next
        }
        return row[text.count]
    }
}
