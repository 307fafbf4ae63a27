/// Reads one JSON text byte by byte and checks every byte it passes (RFC 8259); it builds nothing.
///
/// What it has passed is valid UTF-8 and follows the grammar; `Checks` says what is looked at besides. After an error the
/// scanner must not be used further.
@usableFromInline
package struct JSONScanner {
    /// How many objects and arrays may stand inside each other.
    package static let depthLimit = 32

    /// What is refused beyond the grammar because parsers are known to read it in different ways.
    package struct Checks: OptionSet {
        package let rawValue: UInt8

        package init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// Repeated member names, compared after unescaping.
        package static let names = Checks(rawValue: 1)
        /// Integers beyond ±(2⁵³−1), and numbers that overflow a double.
        package static let numbers = Checks(rawValue: 2)
        /// With `names`: names of one object that are equal but for their letters' case too, names with a control character
        /// or with a meaning of their own to a parser; and NUL in any string.
        package static let readings = Checks(rawValue: 4)
    }

    /// A string's place in the text, without its quotes.
    @usableFromInline
    package struct StringToken: Sendable {
        @usableFromInline package let start: Int
        @usableFromInline package let end: Int
        /// Whether there is a backslash in it.
        @usableFromInline package let isEscaped: Bool
        /// Whether its bytes are its value and plain: see ``PlainText``.
        @usableFromInline package let isPlain: Bool

        @inlinable package var count: Int { end - start }
    }

    /// A number's place in the text.
    package struct NumberToken {
        package let start: Int
        package let end: Int
        /// Neither a fraction nor an exponent.
        package let isInteger: Bool

        package var count: Int { end - start }
    }

    @usableFromInline package let bytes: [UInt8]
    @usableFromInline package let end: Int
    let checks: Checks
    @usableFromInline package internal(set) var index: Int
    /// Names seen in the objects that are open, the innermost last. One array for all of them: a request then
    /// costs a single allocation for it, or none.
    var names: [StringToken] = []
    private var depth = 0

    package init(_ bytes: [UInt8], in range: Range<Int>, checking checks: Checks) {
        self.bytes = bytes
        index = range.lowerBound
        end = range.upperBound
        self.checks = checks
        if checks.contains(.names) {
            names.reserveCapacity(16)
        }
    }

    package init(_ slice: JSONSlice, checking checks: Checks) {
        self.init(slice.source, in: slice.range, checking: checks)
    }

    /// The byte at the cursor; nil at the end.
    @inlinable package var next: UInt8? {
        index < end ? bytes[index] : nil
    }

    /// Whether a string begins at the cursor.
    @inlinable package var isAtString: Bool {
        next == UInt8(ascii: "\"")
    }

    /// Whether what begins at the cursor can only be a number.
    @inlinable package var isAtNumber: Bool {
        guard let next else { return false }
        return next == UInt8(ascii: "-") || UInt8(ascii: "0")...UInt8(ascii: "9") ~= next
    }

    @inlinable @inline(__always)
    package mutating func skipWhitespace() {
        // There is seldom any.
        if index < end, bytes[index] <= 0x20 { skipSpaces() }
    }

    @usableFromInline
    mutating func skipSpaces() {
        while index < end {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    /// Passes the white space after the value, and refuses anything else.
    package mutating func finish() throws(JSONError) {
        skipWhitespace()
        guard index == end else { throw JSONError(.unexpectedByte, at: index) }
    }

    /// Passes one value, whatever it is. The cursor must not stand on white space.
    package mutating func skipValue() throws(JSONError) {
        guard let byte = next else { throw JSONError(.unexpectedEnd, at: index) }
        switch byte {
        case UInt8(ascii: "\""):
            _ = try scanString()
        case UInt8(ascii: "{"):
            var object = try openObject()
            while try nextMember(&object) != nil {
                try skipValue()
            }
        case UInt8(ascii: "["):
            var array = try openArray()
            while try nextElement(&array) {
                try skipValue()
            }
        case UInt8(ascii: "t"):
            try skip("true")
        case UInt8(ascii: "f"):
            try skip("false")
        case UInt8(ascii: "n"):
            try skip("null")
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            _ = try scanNumber()
        default:
            throw JSONError(.unexpectedByte, at: index)
        }
    }

    /// Passes one value and returns its place.
    package mutating func sliceValue() throws(JSONError) -> JSONSlice {
        let start = index
        try skipValue()
        return JSONSlice(scanned: bytes, in: start..<index)
    }

    mutating func skip(_ literal: String) throws(JSONError) {
        for expected in literal.utf8 {
            guard index < end else { throw JSONError(.unexpectedEnd, at: index) }
            guard bytes[index] == expected else { throw JSONError(.unexpectedByte, at: index) }
            index += 1
        }
    }

    // MARK: Objects and arrays

    /// Where the scan of an object or array stands.
    package struct Level {
        var isFirst = true
        /// Index in `names` of the object's first name.
        var base: Int
        /// The names of an object that has many, or one that bytes alone do not compare; nil for any other.
        var index: [MemberName: StringToken]?
    }

    /// Passes `{`.
    package mutating func openObject() throws(JSONError) -> Level {
        try descend()
        return Level(base: names.count)
    }

    /// Passes what leads to the next member's value and returns its name; nil once `}` is passed.
    package mutating func nextMember(_ object: inout Level) throws(JSONError) -> StringToken? {
        skipWhitespace()
        guard let byte = next else { throw JSONError(.unexpectedEnd, at: index) }
        if byte == UInt8(ascii: "}") {
            index += 1
            depth -= 1
            names.removeLast(names.count - object.base)
            return nil
        }
        if !object.isFirst {
            try expect(UInt8(ascii: ","))
            skipWhitespace()
        }
        object.isFirst = false
        let start = index
        guard index < end else { throw JSONError(.unexpectedEnd, at: index) }
        guard bytes[index] == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte, at: index) }
        let name = try scanString()
        if checks.contains(.names) {
            try record(name, in: &object, at: start)
        }
        skipWhitespace()
        try expect(UInt8(ascii: ":"))
        skipWhitespace()
        return name
    }

    /// Passes `[`.
    package mutating func openArray() throws(JSONError) -> Level {
        try descend()
        return Level(base: names.count)
    }

    /// Passes what leads to the next element; false once `]` is passed.
    package mutating func nextElement(_ array: inout Level) throws(JSONError) -> Bool {
        skipWhitespace()
        guard let byte = next else { throw JSONError(.unexpectedEnd, at: index) }
        if byte == UInt8(ascii: "]") {
            index += 1
            depth -= 1
            return false
        }
        if !array.isFirst {
            try expect(UInt8(ascii: ","))
            skipWhitespace()
        }
        array.isFirst = false
        return true
    }

    private mutating func descend() throws(JSONError) {
        guard depth < Self.depthLimit else { throw JSONError(.tooDeep, at: index) }
        depth += 1
        index += 1
    }

    @inline(__always)
    private mutating func expect(_ byte: UInt8) throws(JSONError) {
        guard index < end else { throw JSONError(.unexpectedEnd, at: index) }
        guard bytes[index] == byte else { throw JSONError(.unexpectedByte, at: index) }
        index += 1
    }
}
