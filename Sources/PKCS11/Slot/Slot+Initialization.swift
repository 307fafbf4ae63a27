import CCryptoki

// Fresh tokens for tests. An operator's tokens are made by TokenProvisioning, hence `package`.
extension Slot {
    /// Initialises the token and destroys what is on it (`C_InitToken`). `label` has at most 32 bytes of UTF-8.
    package func initializeToken(label: String, securityOfficerPIN: PIN) throws(PKCS11Error) {
        precondition(label.utf8.count <= 32, "a token's label has at most 32 bytes")
        var padded = Array(label.utf8) + [UInt8](repeating: UInt8(ascii: " "), count: 32 - label.utf8.count)
        try module.functions.call("C_InitToken") { functions in
            securityOfficerPIN.withBytes { unsafe functions.pointee.C_InitToken!(id, $0, $1, &padded) }
        }
    }
}

extension Session {
    /// Sets the user's PIN (`C_InitPIN`) in a read/write session in which the security officer is logged in.
    package func initializeUserPIN(_ pin: PIN) throws(PKCS11Error) {
        try call("C_InitPIN") { functions, session in
            pin.withBytes { unsafe functions.pointee.C_InitPIN!(session, $0, $1) }
        }
    }
}
