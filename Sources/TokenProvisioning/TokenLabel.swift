/// The label of a token: 1 to 32 bytes of UTF-8 without control characters.
struct TokenLabel {
    let text: String

    init(_ text: String) throws(ProvisioningError) {
        let isPrintable = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard !text.isEmpty, text.utf8.count <= 32, isPrintable, text.utf8.last != UInt8(ascii: " ") else {
            throw ProvisioningError(
                .labelInvalid, "the label is empty, longer than 32 bytes, not printable, or ends with a space",
                hint: "give a short name such as privyseal")
        }
        self.text = text
    }

    /// Calls with the label filled up with spaces to 32 bytes, which is what C_InitToken reads: libp11 hands its
    /// argument on as it is (PKCS#11 v2.40 base §5.5).
    func withPaddedCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let padded = text + String(repeating: " ", count: 32 - text.utf8.count)
        return unsafe padded.withCString(body)
    }
}
