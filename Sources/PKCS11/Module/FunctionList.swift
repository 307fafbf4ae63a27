import CCryptoki

/// The functions of a loaded module.
@safe
struct FunctionList: Sendable {
    // Alive until the process ends, because a module is never unloaded, and never changed, because it is the module's
    // constant (PKCS#11 v2.40 base §5.4, C_GetFunctionList).
    nonisolated(unsafe) let pointer: UnsafePointer<CK_FUNCTION_LIST>

    /// Calls a function, and turns any other return value than `CKR_OK` into an error that names it.
    ///
    /// The function's name is repeated as text because the pointers carry none.
    @safe @inline(__always)
    func call(
        _ function: StaticString, _ body: (UnsafePointer<CK_FUNCTION_LIST>) -> CK_RV
    ) throws(PKCS11Error) {
        let returnValue = unsafe body(pointer)
        guard returnValue == CKR_OK else {
            throw PKCS11Error(function: function.description, ReturnValue(returnValue))
        }
    }

    /// The names of the functions this module needs and the list does not have.
    ///
    /// The standard wants every pointer to be set, if only to a function that returns CKR_FUNCTION_NOT_SUPPORTED.
    /// Calling one that is null would end the process, so what is called anywhere in this module stands here.
    var missing: [String] {
        let list = unsafe pointer.pointee
        let required: [(name: String, isPresent: Bool)] = unsafe [
            ("C_Initialize", list.C_Initialize != nil),
            ("C_Finalize", list.C_Finalize != nil),
            ("C_GetInfo", list.C_GetInfo != nil),
            ("C_GetSlotList", list.C_GetSlotList != nil),
            ("C_GetSlotInfo", list.C_GetSlotInfo != nil),
            ("C_GetTokenInfo", list.C_GetTokenInfo != nil),
            ("C_GetMechanismList", list.C_GetMechanismList != nil),
            ("C_GetMechanismInfo", list.C_GetMechanismInfo != nil),
            ("C_InitToken", list.C_InitToken != nil),
            ("C_InitPIN", list.C_InitPIN != nil),
            ("C_OpenSession", list.C_OpenSession != nil),
            ("C_CloseSession", list.C_CloseSession != nil),
            ("C_GetSessionInfo", list.C_GetSessionInfo != nil),
            ("C_Login", list.C_Login != nil),
            ("C_Logout", list.C_Logout != nil),
            ("C_FindObjectsInit", list.C_FindObjectsInit != nil),
            ("C_FindObjects", list.C_FindObjects != nil),
            ("C_FindObjectsFinal", list.C_FindObjectsFinal != nil),
            ("C_GetAttributeValue", list.C_GetAttributeValue != nil),
            ("C_DestroyObject", list.C_DestroyObject != nil),
            ("C_GenerateKeyPair", list.C_GenerateKeyPair != nil),
            ("C_SignInit", list.C_SignInit != nil),
            ("C_Sign", list.C_Sign != nil),
        ]
        return required.filter { !$0.isPresent }.map(\.name)
    }
}
