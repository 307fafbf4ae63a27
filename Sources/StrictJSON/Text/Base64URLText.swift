/// base64url without padding (RFC 4648 §5), read strictly.
package enum Base64URLText {
    /// The 64 characters, in the order of their values.
    package static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Why a text is none.
    package enum Fault: Error {
        case cutShort
        case foreignCharacter
        case trailingBits
    }

    /// The bytes that `text` stands for.
    ///
    /// Every byte string has exactly one accepted text: padding, white space, the characters of other alphabets, an
    /// impossible length and trailing bits that are not zero are refused, since a text that can be changed without
    /// changing its meaning makes two JWTs of one.
    package static func decode(_ text: ArraySlice<UInt8>) throws(Fault) -> [UInt8] {
        guard text.count % 4 != 1 else { throw .cutShort }
        var bytes = [UInt8](repeating: 0, count: text.count * 3 / 4)
        let input = text.span
        let values = Self.values.span
        var output = bytes.mutableSpan
        var position = 0
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        for index in 0..<input.count {
            let value = values[Int(input[index])]
            guard value != none else { throw .foreignCharacter }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                output[position] = UInt8(truncatingIfNeeded: bits >> bitCount)
                position += 1
            }
        }
        guard bits & ((1 << bitCount) - 1) == 0 else { throw .trailingBits }
        return bytes
    }

    private static let none: UInt8 = 0xFF

    /// By character.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: none, count: 256)
        for (value, character) in alphabet.enumerated() {
            values[Int(character)] = UInt8(value)
        }
        return values
    }()
}
