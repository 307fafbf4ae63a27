/// Bytes that stand for themselves in a JSON string: ASCII but for control characters, the quote and the backslash. Most
/// strings are nothing else, so they are looked at eight bytes at a time.
@usableFromInline
enum PlainText {
    /// The place of the first byte from `start` on that is not plain; `end` when there is none.
    @usableFromInline
    static func end(in text: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var position = start
        while position <= end - 8 {
            let others = notPlain(word(text.extracting(position..<position + 8)))
            guard others == 0 else { return position + others.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < end {
            let byte = text[position]
            guard byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") else { break }
            position += 1
        }
        return position
    }

    /// Eight bytes, the first in the lowest bits.
    @inline(__always)
    private static func word(_ bytes: Span<UInt8>) -> UInt64 {
        // One by one, which the compiler makes a single load of.
        UInt64(bytes[0]) | UInt64(bytes[1]) << 8 | UInt64(bytes[2]) << 16 | UInt64(bytes[3]) << 24
            | UInt64(bytes[4]) << 32 | UInt64(bytes[5]) << 40 | UInt64(bytes[6]) << 48 | UInt64(bytes[7]) << 56
    }

    /// The highest bit of each byte that is not plain, up to the first such byte; what is above it says nothing.
    ///
    /// Subtracting borrows from the next byte only where it sets the highest bit of this one.
    @inline(__always)
    private static func notPlain(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones * UInt64(UInt8(ascii: "\"")))
        let backslashes = word ^ (ones * UInt64(UInt8(ascii: "\\")))
        // Adding one carries only where it sets the highest bit too, of a byte that is not plain.
        return (word | (word &+ ones) | (word &- ones * 0x20) | (quotes &- ones) | (backslashes &- ones)) & (ones * 0x80)
    }
}

extension [UInt8] {
    /// Appends a text if all of it is plain; returns whether it was.
    @inlinable
    package mutating func append(ifPlain text: String) -> Bool {
        let start = count
        append(contentsOf: text.utf8)
        if PlainText.end(in: span, from: start, to: count) == count { return true }
        removeSubrange(start...)
        return false
    }
}
