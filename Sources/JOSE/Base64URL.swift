import StrictJSON

/// base64url without padding, as JOSE has it (RFC 4648 §5, RFC 7515 §2).
public enum Base64URL {
    /// The base64url text of `bytes`, as ASCII bytes.
    public static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(encodedCount(bytes.count))
        append(bytes, to: &text)
        return text
    }

    /// The base64url text of `bytes`, as a string.
    public static func encodeToString(_ bytes: [UInt8]) -> String {
        String(decoding: encode(bytes), as: UTF8.self)
    }

    /// How many characters `byteCount` bytes become.
    public static func encodedCount(_ byteCount: Int) -> Int {
        (byteCount * 4 + 2) / 3
    }

    /// Appends the base64url text of `bytes` to `text`: one growth of the array, no copy between.
    public static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        let input = bytes.span
        let pairs = pairsOfCharacters.span
        text.append(addingCapacity: encodedCount(bytes.count)) { output in
            func append(_ pair: UInt16) {
                output.append(UInt8(truncatingIfNeeded: pair))
                output.append(UInt8(truncatingIfNeeded: pair >> 8))
            }
            let whole = input.count - input.count % 3
            var index = 0
            while index < whole {
                let group = UInt32(input[index]) << 16 | UInt32(input[index + 1]) << 8 | UInt32(input[index + 2])
                append(pairs[Int(group >> 12)])
                append(pairs[Int(group & 0xFFF)])
                index += 3
            }
            switch input.count - whole {
            case 1:
                append(pairs[Int(input[index]) << 4])
            case 2:
                let group = UInt32(input[index]) << 10 | UInt32(input[index + 1]) << 2
                append(pairs[Int(group >> 6)])
                output.append(alphabet[Int(group & 0x3F)])
            default:
                break
            }
        }
    }

    /// The bytes that `text` stands for.
    ///
    /// Every byte string has exactly one accepted text: padding, white space, the characters of other alphabets, an
    /// impossible length and trailing bits that are not zero are refused, since a text that can be changed without
    /// changing its meaning makes two JWTs of one.
    ///
    /// - Throws: ``JOSEError/Code/base64URLInvalid``.
    public static func decode(_ text: ArraySlice<UInt8>) throws(JOSEError) -> [UInt8] {
        do throws(Base64URLText.Fault) {
            return try Base64URLText.decode(text)
        } catch {
            let message =
                switch error {
                case .cutShort: "base64url text of \(text.count) characters is cut short"
                case .foreignCharacter: "text has a character that base64url without padding does not have"
                case .trailingBits: "base64url text ends in bits that are not zero"
                }
            throw JOSEError(.base64URLInvalid, message)
        }
    }

    /// The bytes that `text` stands for; as the same for a slice.
    public static func decode(_ text: [UInt8]) throws(JOSEError) -> [UInt8] {
        try decode(text[...])
    }

    /// The bytes that `text` stands for; as the same for a slice.
    public static func decode(_ text: String) throws(JOSEError) -> [UInt8] {
        try decode(Array(text.utf8)[...])
    }

    private static let alphabet = Base64URLText.alphabet

    /// The two characters for each 12 bits, the first in the low byte: half the look-ups of the alphabet itself.
    private static let pairsOfCharacters: [UInt16] = (0..<4096).map {
        UInt16(alphabet[$0 >> 6]) | UInt16(alphabet[$0 & 0x3F]) << 8
    }
}
