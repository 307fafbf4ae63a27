extension JSONScanner {
    /// Passes a string; the cursor stands on its opening quote.
    package mutating func scanString() throws(JSONError) -> StringToken {
        let start = index + 1
        let position = PlainText.end(in: bytes.span, from: start, to: end)
        // Most strings are plain to their end.
        guard position < end, bytes[position] == UInt8(ascii: "\"") else { return try scanRest(of: start, from: position) }
        index = position + 1
        return StringToken(start: start, end: position, isEscaped: false, isPlain: true)
    }

    /// Passes what is left of the string that begins at `start`, from its first byte that is not plain on.
    private mutating func scanRest(of start: Int, from first: Int) throws(JSONError) -> StringToken {
        var position = first
        var isEscaped = false
        while true {
            guard position < end else { throw JSONError(.unexpectedEnd, at: end) }
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                index = position + 1
                return StringToken(start: start, end: position, isEscaped: isEscaped, isPlain: false)
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
                position = try endOfEscape(at: position)
            } else if byte < 0x20 {
                throw JSONError(.controlCharacter, at: position)
            } else if byte == 0x7F {
                position += 1
            } else {
                position = try endOfUTF8(at: position)
            }
            position = PlainText.end(in: bytes.span, from: position, to: end)
        }
    }

    /// The string's value.
    @inlinable
    package func string(_ token: StringToken) -> String {
        token.isEscaped
            ? String(decoding: unescaped(token), as: UTF8.self)
            : String(decoding: bytes[token.start..<token.end], as: UTF8.self)
    }

    /// Whether the string's value is `text`, which is ASCII.
    @inlinable
    package func string(_ token: StringToken, is text: String) -> Bool {
        guard token.isEscaped else {
            guard token.count == text.utf8.count else { return false }
            let value = bytes.span.extracting(token.start..<token.end)
            let expected = text.utf8.span
            for place in 0..<value.count where value[place] != expected[place] { return false }
            return true
        }
        return unescaped(token).elementsEqual(text.utf8)
    }

    /// The UTF-8 of the string's value.
    package func value(of token: StringToken) -> [UInt8] {
        token.isEscaped ? unescaped(token) : Array(bytes[token.start..<token.end])
    }

    /// Whether some parser cuts the string's value short or changes it: over a control character (Unicode's category Cc), or
    /// a character beyond U+FFFF whose last 16 bits are a surrogate's, which json-c reads as U+FFFD where it is escaped.
    @inlinable
    package func isMisread(_ token: StringToken) -> Bool {
        !token.isPlain && hasMisreadCharacter(token)
    }

    @usableFromInline
    func hasMisreadCharacter(_ token: StringToken) -> Bool {
        string(token).unicodeScalars.contains { scalar in
            scalar.properties.generalCategory == .control || token.isEscaped && scalar.value & 0xF800 == 0xD800
        }
    }

    /// The UTF-8 of an escaped string's value. It has been scanned, so every escape in it is whole.
    @usableFromInline
    package func unescaped(_ token: StringToken) -> [UInt8] {
        var value: [UInt8] = []
        value.reserveCapacity(token.count)
        var position = token.start
        while position < token.end {
            let byte = bytes[position]
            guard byte == UInt8(ascii: "\\") else {
                value.append(byte)
                position += 1
                continue
            }
            let escape = bytes[position + 1]
            position += 2
            switch escape {
            case UInt8(ascii: "b"): value.append(0x08)
            case UInt8(ascii: "f"): value.append(0x0C)
            case UInt8(ascii: "n"): value.append(0x0A)
            case UInt8(ascii: "r"): value.append(0x0D)
            case UInt8(ascii: "t"): value.append(0x09)
            case UInt8(ascii: "u"):
                var code = codeUnit(at: position)
                position += 4
                if 0xD800...0xDBFF ~= code {
                    code = 0x10000 + (code - 0xD800) << 10 + (codeUnit(at: position + 2) - 0xDC00)
                    position += 6
                }
                appendUTF8(code, to: &value)
            default: value.append(escape)
            }
        }
        return value
    }

    /// The index after the escape that begins at `start`.
    private func endOfEscape(at start: Int) throws(JSONError) -> Int {
        guard start + 1 < end else { throw JSONError(.unexpectedEnd, at: end) }
        switch bytes[start + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return start + 2
        case UInt8(ascii: "u"):
            let unit = try hexadecimal(at: start + 2)
            switch unit {
            case 0xD800...0xDBFF:
                let second = start + 6
                guard second + 1 < end, bytes[second] == UInt8(ascii: "\\"), bytes[second + 1] == UInt8(ascii: "u"),
                    0xDC00...0xDFFF ~= (try hexadecimal(at: second + 2))
                else { throw JSONError(.loneSurrogate, at: start) }
                return second + 6
            case 0xDC00...0xDFFF:
                throw JSONError(.loneSurrogate, at: start)
            case 0 where checks.contains(.readings):
                throw JSONError(.nul, at: start)
            default:
                return start + 6
            }
        default:
            throw JSONError(.invalidEscape, at: start)
        }
    }

    /// The four hexadecimal digits at `start`.
    private func hexadecimal(at start: Int) throws(JSONError) -> UInt32 {
        guard start + 4 <= end else { throw JSONError(.unexpectedEnd, at: end) }
        for position in start..<start + 4 where Self.hexadecimalValue(bytes[position]) == nil {
            throw JSONError(.invalidEscape, at: position)
        }
        return codeUnit(at: start)
    }

    private func codeUnit(at start: Int) -> UInt32 {
        bytes[start..<start + 4].reduce(0) { $0 << 4 | (Self.hexadecimalValue($1) ?? 0) }
    }

    private static func hexadecimalValue(_ digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(digit - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(digit - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// The index after the well-formed sequence that begins at `start` (RFC 3629 §4).
    private func endOfUTF8(at start: Int) throws(JSONError) -> Int {
        let (count, second): (Int, ClosedRange<UInt8>) =
            switch bytes[start] {
            case 0xC2...0xDF: (2, 0x80...0xBF)
            case 0xE0: (3, 0xA0...0xBF)
            case 0xED: (3, 0x80...0x9F)
            case 0xE1...0xEF: (3, 0x80...0xBF)
            case 0xF0: (4, 0x90...0xBF)
            case 0xF1...0xF3: (4, 0x80...0xBF)
            case 0xF4: (4, 0x80...0x8F)
            default: throw JSONError(.invalidUTF8, at: start)
            }
        guard start + count <= end, second ~= bytes[start + 1] else { throw JSONError(.invalidUTF8, at: start) }
        for position in start + 2..<max(start + count, start + 2) where bytes[position] & 0xC0 != 0x80 {
            throw JSONError(.invalidUTF8, at: start)
        }
        return start + count
    }

    private func appendUTF8(_ code: UInt32, to value: inout [UInt8]) {
        switch code {
        case 0..<0x80:
            value.append(UInt8(code))
        case 0x80..<0x800:
            value.append(UInt8(0xC0 | code >> 6))
            value.append(UInt8(0x80 | code & 0x3F))
        case 0x800..<0x10000:
            value.append(UInt8(0xE0 | code >> 12))
            value.append(UInt8(0x80 | code >> 6 & 0x3F))
            value.append(UInt8(0x80 | code & 0x3F))
        default:
            value.append(UInt8(0xF0 | code >> 18))
            value.append(UInt8(0x80 | code >> 12 & 0x3F))
            value.append(UInt8(0x80 | code >> 6 & 0x3F))
            value.append(UInt8(0x80 | code & 0x3F))
        }
    }
}
