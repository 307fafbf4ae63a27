/// JSON being written, byte by byte, without white space.
struct JSONText {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Text that is JSON already.
    mutating func append(raw text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    mutating func append(raw text: some Sequence<UInt8>) {
        bytes.append(contentsOf: text)
    }

    /// The decimal digits of `value`.
    mutating func append(integer value: Int64) {
        bytes.append(decimal: value)
    }

    /// A string with its quotes. Only what must be escaped is (RFC 8259 §7).
    mutating func append(string: String) {
        bytes.append(UInt8(ascii: "\""))
        if !bytes.append(ifPlain: string) { append(escaping: string) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(escaping string: String) {
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x20...:
                bytes.append(byte)
            case 0x08: append(raw: "\\b")
            case 0x09: append(raw: "\\t")
            case 0x0A: append(raw: "\\n")
            case 0x0C: append(raw: "\\f")
            case 0x0D: append(raw: "\\r")
            default:
                append(raw: byte < 0x10 ? "\\u000" : "\\u001")
                bytes.append(Self.hexadecimalDigits[Int(byte & 0x0F)])
            }
        }
    }

    private static let hexadecimalDigits = Array("0123456789abcdef".utf8)
}

extension [UInt8] {
    /// Appends the decimal digits of `value`, after a minus sign for a negative one.
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
