/// JSON being written, byte by byte, without white space.
///
/// What each request's reply is put together with is `@inlinable`: a call into another module costs more than most of it does.
@usableFromInline
package struct JSONText {
    @usableFromInline var written: [UInt8] = []

    @inlinable
    package init(capacity: Int = 0) {
        written.reserveCapacity(capacity)
    }

    @inlinable package var bytes: [UInt8] { written }

    /// Text that is JSON already.
    @inlinable
    package mutating func append(raw text: String) {
        written.append(contentsOf: text.utf8)
    }

    /// Text that is JSON already.
    @inlinable
    package mutating func append(raw text: some Sequence<UInt8>) {
        written.append(contentsOf: text)
    }

    /// The decimal digits of `value`.
    @inlinable
    package mutating func append(integer value: Int64) {
        written.append(decimal: value)
    }

    /// A string with its quotes. Only what must be escaped is (RFC 8259 §7).
    @inlinable
    package mutating func append(string: String) {
        written.append(UInt8(ascii: "\""))
        written.append(string, escaping: .required)
        written.append(UInt8(ascii: "\""))
    }
}

/// Which characters of a string are escaped in JSON, beside the quote and the backslash, and how. Readers of JSON see the same
/// string in each case; where the bytes themselves are kept or looked at they differ on purpose.
@usableFromInline
package enum JSONEscaping: Sendable {
    /// The control characters that RFC 8259 §7 does not let stand, by letter where there is one: documents, requests, replies.
    case required
    /// Those and DEL, all by their number: records of the audit log. Their hashes are chained, so this stays as it is.
    case numbers
    /// All that is not shown (see ``Unicode/Scalar/isHidden``), `\n`, `\r` and `\t` by letter: lines of the log, which a
    /// terminal may get.
    case hidden

    fileprivate func concerns(_ scalar: Unicode.Scalar) -> Bool {
        switch self {
        case .required: scalar.value < 0x20
        case .numbers: scalar.value < 0x20 || scalar.value == 0x7F
        case .hidden: scalar.isHidden
        }
    }

    /// The letter that stands for the character after a backslash; nil when its number does.
    fileprivate func letter(for scalar: Unicode.Scalar) -> UInt8? {
        switch (scalar, self) {
        case (_, .numbers): nil
        case ("\n", _): UInt8(ascii: "n")
        case ("\r", _): UInt8(ascii: "r")
        case ("\t", _): UInt8(ascii: "t")
        case ("\u{8}", .required): UInt8(ascii: "b")
        case ("\u{C}", .required): UInt8(ascii: "f")
        default: nil
        }
    }
}

extension [UInt8] {
    /// Appends what stands between the quotes of a JSON string.
    @inlinable
    package mutating func append(_ text: String, escaping: JSONEscaping) {
        if !append(ifPlain: text) { append(notPlain: text, escaping) }
    }

    @usableFromInline
    mutating func append(notPlain text: String, _ escaping: JSONEscaping) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                append(UInt8(ascii: "\\"))
                append(UInt8(scalar.value))
            case _ where escaping.concerns(scalar):
                if let letter = escaping.letter(for: scalar) {
                    append(UInt8(ascii: "\\"))
                    append(letter)
                } else {
                    appendNumber(of: scalar)
                }
            default:
                append(contentsOf: scalar.utf8)
            }
        }
    }

    /// `\u` and four digits; twice, for the halves of a surrogate pair, beyond U+FFFF.
    private mutating func appendNumber(of scalar: Unicode.Scalar) {
        for unit in scalar.utf16 {
            append(UInt8(ascii: "\\"))
            append(UInt8(ascii: "u"))
            for shift in [12, 8, 4, 0] {
                let digit = UInt8(truncatingIfNeeded: unit >> shift & 0xF)
                append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }

    /// Appends the decimal digits of `value`, after a minus sign for a negative one.
    @usableFromInline
    package mutating func append(decimal value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = digits.endIndex
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
        for place in first..<digits.endIndex { append(digits[place]) }
    }
}
