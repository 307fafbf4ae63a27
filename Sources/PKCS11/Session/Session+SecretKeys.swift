import CCryptoki

extension Session {
    /// Generates a secret key on the token for HMAC alone (`C_GenerateKey`, `CKM_GENERIC_SECRET_KEY_GEN`): sensitive, not
    /// extractable.
    ///
    /// - `id` becomes its `CKA_ID`, `label` its `CKA_LABEL`; `length` is in bytes.
    /// - Needs a read/write session and the user logged in. A token may ignore what the template says, so read
    ///   ``custody(of:)`` before the key is used.
    /// - Throws ``PKCS11Error``. A key may have been made all the same; look for `id` before trying again.
    public func generateSecretKey(
        id: [UInt8], label: String, length: Int, naming usages: UsageFlags = .all
    ) throws(PKCS11Error) -> ObjectHandle {
        let forbidden: [AttributeType] = usages == .all ? [.encrypt, .decrypt, .wrap, .unwrap, .derive] : []
        let template: [Attribute] =
            [
                .class(.secretKey), Attribute(.keyType, KeyType.genericSecret.rawValue), .token(true), Attribute(.private, true),
                .id(id), .label(label), Attribute(.sensitive, true), Attribute(.extractable, false), Attribute(.sign, true),
                Attribute(.verify, true), Attribute(.valueLength, UInt(length)),
            ] + forbidden.map { Attribute($0, false) }
        var key: CK_OBJECT_HANDLE = 0
        try call("C_GenerateKey") { functions, session in
            Mechanism(.genericSecretKeyGeneration).withCryptoki { mechanism in
                withTemplate(template) { unsafe functions.pointee.C_GenerateKey!(session, mechanism, $0, $1, &key) }
            }
        }
        return ObjectHandle(rawValue: key)
    }
}
