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
        var rest = value.magnitude
        if value < 0 {
            bytes.append(UInt8(ascii: "-"))
        }
        var divisor: UInt64 = 1
        while rest / divisor >= 10 {
            divisor *= 10
        }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    /// A string with its quotes. Only what must be escaped is (RFC 8259 §7).
    mutating func append(string: String) {
        bytes.append(UInt8(ascii: "\""))
        if string.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            bytes.append(contentsOf: string.utf8)
        } else {
            append(escaping: string)
        }
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
