import CCryptoki

// Attributes are read one by one: a token that does not know one of several may leave out the others as well.
extension Session {
    /// The bytes of an attribute (`C_GetAttributeValue`); nil when the object does not have it or does not show it.
    ///
    /// Throws ``PKCS11Error`` with the code `attributePrivate` for one that holds a private key.
    public func bytes(_ type: AttributeType, of object: ObjectHandle) throws(PKCS11Error) -> [UInt8]? {
        // One call does for nearly all: with many keys, calls are what a start takes its time for.
        var value = [UInt8](repeating: 0, count: Self.usualAttribute)
        var length = CK_ULONG(value.count)
        do throws(PKCS11Error) {
            guard try unsafe read(type, of: object, into: &value, length: &length) else { return nil }
        } catch  where error.returnValue == .bufferTooSmall {
            length = 0
            guard try unsafe read(type, of: object, into: nil, length: &length) else { return nil }
            guard length <= Self.longestAttribute else { throw malformed(type, "\(length) bytes long") }
            value = [UInt8](repeating: 0, count: Int(length))
            guard try unsafe read(type, of: object, into: &value, length: &length) else { return nil }
        }
        guard length <= value.count else { throw malformed(type, "\(length) bytes long, having been \(value.count)") }
        return Array(value.prefix(Int(length)))
    }

    /// A boolean attribute; nil when the object does not have it or does not show it.
    public func bool(_ type: AttributeType, of object: ObjectHandle) throws(PKCS11Error) -> Bool? {
        var value = CK_BBOOL(CK_FALSE)
        var length = CK_ULONG(MemoryLayout<CK_BBOOL>.size)
        guard try unsafe read(type, of: object, into: &value, length: &length) else { return nil }
        guard length == MemoryLayout<CK_BBOOL>.size else { throw malformed(type, "\(length) bytes long, not a boolean") }
        return value != CK_FALSE
    }

    /// A number; nil when the object does not have it or does not show it.
    public func number(_ type: AttributeType, of object: ObjectHandle) throws(PKCS11Error) -> UInt? {
        var value: CK_ULONG = 0
        var length = CK_ULONG(MemoryLayout<CK_ULONG>.size)
        guard try unsafe read(type, of: object, into: &value, length: &length) else { return nil }
        guard length == MemoryLayout<CK_ULONG>.size else { throw malformed(type, "\(length) bytes long, not a number") }
        return value
    }

    /// As long as the modulus of an RSA key of 4096 bits.
    private static var usualAttribute: Int { 512 }

    /// Longer than any attribute of a key, and short enough to allocate on a module's word.
    private static var longestAttribute: CK_ULONG { 1 << 20 }

    /// Reads one attribute; false when the object does not have it or does not show it.
    private func read(
        _ type: AttributeType, of object: ObjectHandle, into value: UnsafeMutableRawPointer?, length: inout CK_ULONG
    ) throws(PKCS11Error) -> Bool {
        guard !AttributeType.privateValues.contains(type) else {
            throw PKCS11Error(.attributePrivate, "attribute \(type) holds a private key and is not read")
        }
        var attribute = unsafe CK_ATTRIBUTE(type: type.rawValue, pValue: value, ulValueLen: length)
        do throws(PKCS11Error) {
            try call("C_GetAttributeValue") { unsafe $0.pointee.C_GetAttributeValue!($1, object.rawValue, &attribute, 1) }
        } catch  where error.returnValue == .attributeTypeInvalid || error.returnValue == .attributeSensitive {
            return false
        }
        length = unsafe attribute.ulValueLen
        return length != privyseal_CK_UNAVAILABLE_INFORMATION
    }

    private func malformed(_ type: AttributeType, _ what: String) -> PKCS11Error {
        PKCS11Error(.attributeMalformed, function: "C_GetAttributeValue", "attribute \(type) is \(what)")
    }
}
