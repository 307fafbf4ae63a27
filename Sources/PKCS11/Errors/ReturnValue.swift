import CCryptoki

/// What a Cryptoki function returned: a `CK_RV` (PKCS#11 v2.40 base §5.1).
///
/// The set is open. A token may return a code that is not in the standard, or one of its vendor's own.
public struct ReturnValue: RawRepresentable, Hashable, Sendable {
    /// The number the function returned.
    public let rawValue: UInt

    public init(rawValue: UInt) {
        self.rawValue = rawValue
    }

    init(_ rawValue: CK_RV) {
        self.rawValue = rawValue
    }

    /// The standard's name, such as `CKR_PIN_LOCKED`; `0x` and the number in hexadecimal for any other code.
    public var name: String {
        Self.names[self] ?? "0x" + String(rawValue, radix: 16)
    }

    /// Whether the code is its vendor's own: `CKR_VENDOR_DEFINED` or above.
    public var isVendorDefined: Bool {
        rawValue >= UInt(privyseal_CKR_VENDOR_DEFINED)
    }

    /// What the code means, in p11-kit's words; nil for a code that p11-kit does not know either.
    public var explanation: String? {
        guard Self.names[self] != nil, let text = unsafe p11_kit_strerror(rawValue) else { return nil }
        return unsafe String(cString: text)
    }
}

extension ReturnValue: CustomStringConvertible {
    public var description: String { name }
}
