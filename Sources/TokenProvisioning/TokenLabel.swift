/// The label of a token: 1 to 32 bytes of UTF-8 without control characters.
struct TokenLabel {
    let text: String

    init(_ text: String) throws(ProvisioningError) {
        if let fault = Self.fault(of: text) {
            throw ProvisioningError(.labelInvalid, "the label \(fault)", hint: "give a short name such as privyseal")
        }
        self.text = text
    }

    private static func fault(of text: String) -> String? {
        if text.isEmpty { return "is empty" }
        if text.utf8.count > 32 { return "has \(text.utf8.count) bytes, and a token's has 32 at most" }
        if text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) { return "is not printable" }
        return text.utf8.last == UInt8(ascii: " ") ? "ends with a space" : nil
    }

    /// Calls with the label filled up with spaces to 32 bytes, which is what C_InitToken reads: libp11 hands its
    /// argument on as it is (PKCS#11 v2.40 base §5.5).
    func withPaddedCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let padded = text + String(repeating: " ", count: 32 - text.utf8.count)
        return unsafe padded.withCString(body)
    }
}
