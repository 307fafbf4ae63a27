import CCryptoki

extension Session {
    /// Signs with a private key of the token (`C_SignInit`, `C_Sign`).
    ///
    /// `data` is what the mechanism wants to sign: SoftHSM also takes what it should not, so check key type and length
    /// before. The result is as the token returns it; see ``EllipticCurve/fixedWidthSignature(_:)``. Throws
    /// ``PKCS11Error``.
    public func sign(
        _ data: [UInt8], with mechanism: Mechanism, key: ObjectHandle
    ) throws(PKCS11Error) -> [UInt8] {
        try call("C_SignInit") { functions, session in
            mechanism.withCryptoki { unsafe functions.pointee.C_SignInit!(session, $0, key.rawValue) }
        }
        // Enough for RSA of 4096 bits and for every curve, so that one call and one allocation usually do.
        var capacity = 512
        while true {
            var (signature, length): ([UInt8], CK_ULONG) = ([], 0)
            do throws(PKCS11Error) {
                try call("C_Sign") { functions, session in
                    var returnValue = CK_RV(CKR_OK)
                    unsafe signature = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                        length = CK_ULONG(buffer.count)
                        unsafe returnValue = data.withUnsafeBufferPointer { data in
                            // Modules only read the data; that the pointer is mutable is C's lack of const.
                            unsafe functions.pointee.C_Sign!(
                                session, UnsafeMutablePointer(mutating: data.baseAddress), CK_ULONG(data.count),
                                buffer.baseAddress, &length)
                        }
                        count = returnValue == CKR_OK ? Int(min(length, CK_ULONG(buffer.count))) : 0
                    }
                    return returnValue
                }
            } catch  where error.returnValue == .bufferTooSmall && capacity < Self.longestSignature {
                // The operation stays active, and the module says how much it needs (PKCS#11 v2.40 base §5.2).
                capacity = min(max(2 * capacity, Int(clamping: length)), Self.longestSignature)
                continue
            }
            guard length == CK_ULONG(signature.count), !signature.isEmpty else {
                throw PKCS11Error(
                    .signatureMalformed, function: "C_Sign", "the module says it wrote \(length) bytes of signature")
            }
            return signature
        }
    }

    /// Longer than any signature, and short enough to allocate on a module's word.
    private static var longestSignature: Int { 1 << 16 }
}
