/// One JSON value as the bytes it came in, a part of a longer text; already checked to follow the grammar.
///
/// It may still hold repeated member names and numbers out of range: whoever reads it decides what that means.
public struct JSONSlice: Sendable {
    package let source: [UInt8]
    package let range: Range<Int>

    init(scanned source: [UInt8], in range: Range<Int>) {
        self.source = source
        self.range = range
    }

    /// A whole text, which must hold one value.
    public init(validating text: [UInt8]) throws(JSONError) {
        var scanner = JSONScanner(text, in: text.indices, checking: [])
        scanner.skipWhitespace()
        self = try scanner.sliceValue()
        try scanner.finish()
    }

    /// The compact text of `value`.
    public init(_ value: JSONValue) {
        let text = value.encoded()
        self.init(scanned: text, in: text.indices)
    }

    /// The value's bytes, as they were received.
    public var bytes: ArraySlice<UInt8> {
        source[range]
    }

    package var isObject: Bool {
        source[range.lowerBound] == UInt8(ascii: "{")
    }

    package var isNull: Bool {
        source[range.lowerBound] == UInt8(ascii: "n")
    }
}
