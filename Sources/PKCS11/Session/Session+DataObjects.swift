import CCryptoki

extension Session {
    /// Makes a data object on the token (`C_CreateObject`, `CKO_DATA`; PKCS#11 v2.40 base §4.5): text that is no secret, for
    /// those who are logged in.
    ///
    /// The text is in `CKA_APPLICATION`, and `CKA_VALUE` is empty: of a key that is the key, so it is read of no object here.
    /// Needs a read/write session. Throws ``PKCS11Error``, `functionNotSupported` also for a module without the function.
    public func createDataObject(label: String, application: String) throws(PKCS11Error) -> ObjectHandle {
        guard unsafe slot.module.functions.pointer.pointee.C_CreateObject != nil else {
            throw PKCS11Error(function: "C_CreateObject", .functionNotSupported)
        }
        let template: [Attribute] = [
            .class(.data), .token(true), Attribute(.private, true), .label(label),
            Attribute(.application, bytes: Array(application.utf8)),
        ]
        do throws(PKCS11Error) {
            return try create(template)
        } catch {
            // tpm2-pkcs11 wants to be told that there is no value.
            guard error.returnValue == .generalError || error.returnValue == .templateIncomplete else { throw error }
            return try create(template + [Attribute(.value, bytes: [])])
        }
    }

    private func create(_ template: [Attribute]) throws(PKCS11Error) -> ObjectHandle {
        var object: CK_OBJECT_HANDLE = 0
        try call("C_CreateObject") { functions, session in
            withTemplate(template) { unsafe functions.pointee.C_CreateObject!(session, $0, $1, &object) }
        }
        return ObjectHandle(rawValue: object)
    }
}
