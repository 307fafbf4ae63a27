/// The little DER that a SubjectPublicKeyInfo is made of (X.690 §8, §10.1).
enum DER {
    static let integer: UInt8 = 0x02
    static let bitString: UInt8 = 0x03
    static let objectIdentifier: UInt8 = 0x06
    static let sequence: UInt8 = 0x30
    static let null: [UInt8] = [0x05, 0x00]

    /// One element: tag, definite length in its shortest form, content.
    static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var bytes = [tag]
        if content.count < 0x80 {
            bytes.append(UInt8(content.count))
        } else {
            let length = withoutLeadingZeros(
                (0..<8).reversed().map { UInt8(truncatingIfNeeded: content.count >> ($0 * 8)) })
            bytes.append(0x80 | UInt8(length.count))
            bytes += length
        }
        return bytes + content
    }

    /// An INTEGER from the big-endian magnitude of a positive number.
    static func integer(magnitude: [UInt8]) -> [UInt8] {
        element(integer, magnitude.first.map { $0 >= 0x80 } ?? true ? [0] + magnitude : magnitude)
    }

    /// A BIT STRING of whole bytes.
    static func bitString(_ bytes: [UInt8]) -> [UInt8] {
        element(bitString, [0] + bytes)
    }

    static func withoutLeadingZeros(_ bytes: [UInt8]) -> [UInt8] {
        Array(bytes.drop { $0 == 0 })
    }
}

/// Takes DER elements off the front of a byte string.
///
/// It finds the structure and does not judge whether lengths and integers have their shortest form: who reads with it
/// encodes the result again and compares.
struct DERReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// The content of the next element when it has this tag, nil when it has not or is cut short.
    mutating func take(_ tag: UInt8) -> [UInt8]? {
        guard rest.first == tag, let length = length(), length.value <= rest.count - length.headerCount else {
            return nil
        }
        let content = rest.dropFirst(length.headerCount).prefix(length.value)
        rest = rest.dropFirst(length.headerCount + length.value)
        return Array(content)
    }

    /// How many bytes the content has, and how many tag and length take.
    private func length() -> (value: Int, headerCount: Int)? {
        guard let first = rest.dropFirst().first else { return nil }
        if first < 0x80 { return (Int(first), 2) }
        // Four bytes of length are more than any public key needs, and cannot overflow.
        let byteCount = Int(first & 0x7F)
        let bytes = rest.dropFirst(2).prefix(byteCount)
        guard (1...4).contains(byteCount), bytes.count == byteCount else { return nil }
        return (bytes.reduce(0) { $0 << 8 | Int($1) }, 2 + byteCount)
    }
}
