/// JSON put together as bytes: compact, members in the order they are appended, slashes not escaped (RFC 8259 §7).
struct JSONText {
    private(set) var bytes: [UInt8] = []

    /// Appends an object; a nil value leaves its member out.
    mutating func appendObject(_ members: [(name: String, value: Value?)]) {
        bytes.append(UInt8(ascii: "{"))
        var isFirst = true
        for (name, value) in members {
            guard let value else { continue }
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            appendString(name)
            bytes.append(UInt8(ascii: ":"))
            append(value)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    enum Value {
        case string(String)
        case strings([String])
        /// JSON texts, already encoded.
        case encoded([[UInt8]])
    }

    private mutating func append(_ value: Value) {
        switch value {
        case .string(let string):
            appendString(string)
        case .strings(let strings):
            appendArray(strings) { $0.appendString($1) }
        case .encoded(let texts):
            appendArray(texts) { $0.bytes += $1 }
        }
    }

    private mutating func appendArray<Element>(
        _ elements: [Element], _ appendElement: (inout JSONText, Element) -> Void
    ) {
        bytes.append(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appendElement(&self, element)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private mutating func appendString(_ string: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes += [UInt8(ascii: "\\"), byte]
            case 0x08: bytes += Array("\\b".utf8)
            case 0x09: bytes += Array("\\t".utf8)
            case 0x0A: bytes += Array("\\n".utf8)
            case 0x0C: bytes += Array("\\f".utf8)
            case 0x0D: bytes += Array("\\r".utf8)
            case 0..<0x20:
                bytes += Array("\\u00".utf8)
                bytes += [Self.hexDigits[Int(byte >> 4)], Self.hexDigits[Int(byte & 0x0F)]]
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
}
