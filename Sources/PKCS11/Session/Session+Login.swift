import CCryptoki

/// Who logs in to a token (`CK_USER_TYPE`).
public enum UserType: Hashable, Sendable {
    /// `CKU_USER`: whoever uses the keys.
    case user
    /// `CKU_SO`: whoever initialises the token and sets the user's PIN.
    case securityOfficer
}

extension Session {
    /// Logs this process in to the token, in all its sessions (`C_Login`).
    ///
    /// Call it once. Throws ``PKCS11Error``: `pinIncorrect`, `pinLocked` and the like, after which no other try may be
    /// made with the same PIN; `userAlreadyLoggedIn` when another session has done it.
    public func login(_ user: UserType = .user, pin: PIN) throws(PKCS11Error) {
        let type = CK_USER_TYPE(user == .user ? CKU_USER : CKU_SO)
        try call("C_Login") { functions, session in
            pin.withBytes { unsafe functions.pointee.C_Login!(session, type, $0, $1) }
        }
    }

    /// Logs this process out of the token, in all its sessions (`C_Logout`).
    public func logout() throws(PKCS11Error) {
        try call("C_Logout") { unsafe $0.pointee.C_Logout!($1) }
    }
}
