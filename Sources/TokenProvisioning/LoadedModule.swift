import CLibP11
import Platform

/// A module that libp11 has loaded and initialised, with its slots as they were then.
///
/// libp11 finalises the module when this goes out of scope, and closes it; it stays in the process all the same, with what it
/// has loaded by itself: one that is loaded anew finds what the thread has of the one before. opencryptoki's, by way of
/// libitm, jumps to an address in that.
@safe
struct LoadedModule: ~Copyable {
    private let context: UnsafeMutablePointer<PKCS11_CTX>
    private let slots: UnsafeMutableBufferPointer<PKCS11_SLOT>

    init(path: String) throws(ProvisioningError) {
        ERR_clear_error()
        guard let context = unsafe PKCS11_CTX_new() else { throw .fromErrorQueue("PKCS11_CTX_new") }
        guard unsafe PKCS11_CTX_load(context, path) == 0 else {
            let cause = ProvisioningError.fromErrorQueue("PKCS11_CTX_load")
            unsafe PKCS11_CTX_free(context)
            let fault = SoftHSMConfiguration.isRead(byModule: path) ? SoftHSMConfiguration().fault() : nil
            throw ProvisioningError(
                .moduleNotLoaded, function: cause.function,
                "the PKCS#11 module \(path) cannot be used: \(fault?.message ?? cause.message)",
                hint: fault?.hint ?? "check the module's path, that its package is installed, and its own configuration")
        }
        var (first, count): (UnsafeMutablePointer<PKCS11_SLOT>?, CUnsignedInt) = (nil, 0)
        guard unsafe PKCS11_enumerate_slots(context, &first, &count) == 0 else {
            let cause = ProvisioningError.fromErrorQueue("PKCS11_enumerate_slots")
            LoadedLibraries.keep()
            unsafe PKCS11_CTX_unload(context)
            unsafe PKCS11_CTX_free(context)
            throw cause
        }
        unsafe self.context = unsafe context
        unsafe slots = UnsafeMutableBufferPointer(start: first, count: Int(count))
    }

    deinit {
        LoadedLibraries.keep()
        unsafe PKCS11_release_all_slots(context, slots.baseAddress, CUnsignedInt(slots.count))
        unsafe PKCS11_CTX_unload(context)
        unsafe PKCS11_CTX_free(context)
    }

    /// The slots in the module's order.
    func list() -> [ProvisioningSlot] {
        unsafe slots.indices.map { unsafe ProvisioningSlot(slots.baseAddress! + $0) }
    }

    /// Initialises the token in a slot (`C_InitToken`).
    func initializeToken(slot id: UInt, label: TokenLabel, securityOfficerPIN: TokenPIN) throws(ProvisioningError) {
        let token = try unsafe slot(id).pointee.token
        try ProvisioningError.check("PKCS11_init_token") {
            securityOfficerPIN.withCString { pin in
                unsafe label.withPaddedCString { unsafe PKCS11_init_token(token, pin, $0) }
            }
        }
    }

    /// Sets the user's PIN as the security officer (`C_InitPIN`).
    func setUserPIN(slot id: UInt, securityOfficerPIN: TokenPIN, userPIN: TokenPIN) throws(ProvisioningError) {
        let slot = try unsafe slot(id)
        try unsafe loggedInAsSecurityOfficer(slot, securityOfficerPIN) { () throws(ProvisioningError) in
            try ProvisioningError.check("PKCS11_init_pin") {
                userPIN.withCString { unsafe PKCS11_init_pin(slot.pointee.token, $0) }
            }
        }
    }

    /// Changes the user's PIN (`C_SetPIN` in a session without login, PKCS#11 v2.40 base §5.5).
    func changeUserPIN(slot id: UInt, from old: TokenPIN, to new: TokenPIN) throws(ProvisioningError) {
        let slot = try unsafe slot(id)
        try ProvisioningError.check("PKCS11_open_session") { unsafe PKCS11_open_session(slot, 1) }
        try unsafe changePIN(slot, from: old, to: new)
    }

    /// Changes the security officer's PIN (`C_SetPIN` while the security officer is logged in).
    func changeSecurityOfficerPIN(slot id: UInt, from old: TokenPIN, to new: TokenPIN) throws(ProvisioningError) {
        let slot = try unsafe slot(id)
        try unsafe loggedInAsSecurityOfficer(slot, old) { () throws(ProvisioningError) in
            try unsafe changePIN(slot, from: old, to: new)
        }
    }

    private func changePIN(
        _ slot: UnsafeMutablePointer<PKCS11_SLOT>, from old: TokenPIN, to new: TokenPIN
    ) throws(ProvisioningError) {
        try ProvisioningError.check("PKCS11_change_pin") {
            old.withCString { old in new.withCString { new in unsafe PKCS11_change_pin(slot, old, new) } }
        }
    }

    private func loggedInAsSecurityOfficer(
        _ slot: UnsafeMutablePointer<PKCS11_SLOT>, _ pin: TokenPIN, _ body: () throws(ProvisioningError) -> Void
    ) throws(ProvisioningError) {
        try ProvisioningError.check("PKCS11_open_session") { unsafe PKCS11_open_session(slot, 1) }
        try ProvisioningError.check("PKCS11_login") { pin.withCString { unsafe PKCS11_login(slot, 1, $0) } }
        // Finalising the module, which comes next, ends the login whether this works or not.
        defer { _ = unsafe PKCS11_logout(slot) }
        try body()
    }

    /// The slot with a number; there must be a token in it.
    private func slot(_ id: UInt) throws(ProvisioningError) -> UnsafeMutablePointer<PKCS11_SLOT> {
        for index in unsafe slots.indices {
            let slot = unsafe slots.baseAddress! + index
            if unsafe UInt(PKCS11_get_slotid_from_slot(slot)) == id, unsafe slot.pointee.token != nil {
                return unsafe slot
            }
        }
        throw ProvisioningError(
            .tokenNotFound, "there is no token in slot \(id)", hint: "list the tokens to see the slots")
    }
}
