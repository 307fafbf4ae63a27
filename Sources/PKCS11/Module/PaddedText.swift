/// The text in a fixed field of a Cryptoki structure: UTF-8, filled up with spaces (PKCS#11 v2.40 base §3.1).
///
/// Some modules fill up with zeroes, or end the text with one; both are taken off too.
func paddedText<Field>(_ field: Field) -> String {
    unsafe withUnsafeBytes(of: field) { bytes in
        var text = unsafe bytes.prefix { $0 != 0 }
        while unsafe text.last == UInt8(ascii: " ") { unsafe text.removeLast() }
        return unsafe String(decoding: text, as: UTF8.self)
    }
}
