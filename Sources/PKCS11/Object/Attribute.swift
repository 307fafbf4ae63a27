import CCryptoki

/// A property of an object with its value, as it stands in a template (`CK_ATTRIBUTE`).
public struct Attribute: Hashable, Sendable {
    public let type: AttributeType

    /// The value in Cryptoki's form: one byte for a boolean, a native `CK_ULONG` for a number, bytes for all else.
    let value: [UInt8]

    /// A byte string or text.
    public init(_ type: AttributeType, bytes: [UInt8]) {
        self.type = type
        value = bytes
    }

    /// A boolean (`CK_BBOOL`).
    public init(_ type: AttributeType, _ flag: Bool) {
        self.init(type, bytes: [UInt8(flag ? CK_TRUE : CK_FALSE)])
    }

    /// A number (`CK_ULONG`).
    public init(_ type: AttributeType, _ number: UInt) {
        self.init(type, bytes: unsafe withUnsafeBytes(of: CK_ULONG(number)) { unsafe Array($0) })
    }

    /// `CKA_CLASS`.
    public static func `class`(_ value: ObjectClass) -> Attribute { Attribute(.class, value.rawValue) }
    /// `CKA_ID`.
    public static func id(_ value: [UInt8]) -> Attribute { Attribute(.id, bytes: value) }
    /// `CKA_LABEL`, in UTF-8.
    public static func label(_ value: String) -> Attribute { Attribute(.label, bytes: Array(value.utf8)) }
    /// `CKA_TOKEN`.
    public static func token(_ value: Bool) -> Attribute { Attribute(.token, value) }
}

/// Calls with a template as Cryptoki wants it; the pointers are valid during the call only.
@safe
func withTemplate(
    _ attributes: [Attribute], _ body: (UnsafeMutablePointer<CK_ATTRIBUTE>?, CK_ULONG) -> CK_RV
) -> CK_RV {
    // Each value starts where a CK_ULONG may stand: modules read numbers in place.
    let alignment = MemoryLayout<CK_ULONG>.alignment
    func aligned(_ size: Int) -> Int { (size + alignment - 1) / alignment * alignment }
    let size = attributes.reduce(0) { $0 + aligned($1.value.count) }
    return unsafe withUnsafeTemporaryAllocation(byteCount: max(size, 1), alignment: alignment) { storage in
        var template: [CK_ATTRIBUTE] = unsafe []
        var offset = 0
        for attribute in attributes {
            let place = unsafe UnsafeMutableRawBufferPointer(rebasing: storage[offset..<offset + attribute.value.count])
            unsafe place.copyBytes(from: attribute.value)
            unsafe template.append(
                CK_ATTRIBUTE(
                    type: attribute.type.rawValue, pValue: place.baseAddress, ulValueLen: CK_ULONG(place.count)))
            offset += aligned(attribute.value.count)
        }
        return unsafe template.withUnsafeMutableBufferPointer { template in
            unsafe body(template.baseAddress, CK_ULONG(template.count))
        }
    }
}
