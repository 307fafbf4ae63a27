import CLibP11

/// A slot of a module, as an operator sees it.
public struct ProvisioningSlot: Hashable, Sendable {
    /// The module's number for the slot (`CK_SLOT_ID`). SoftHSM changes it when a token is initialised.
    public let id: UInt
    public let description: String
    /// The token in the slot; nil when there is none.
    public let token: Token?

    /// A token, initialised or not.
    public struct Token: Hashable, Sendable {
        public let label: String
        public let manufacturerID: String
        public let model: String
        public let serialNumber: String
        public let isInitialized: Bool
        public let isUserPINSet: Bool
        public let isUserPINLocked: Bool
        public let isWriteProtected: Bool
    }

    init(_ slot: UnsafeMutablePointer<PKCS11_SLOT>) {
        id = unsafe UInt(PKCS11_get_slotid_from_slot(slot))
        description = unsafe text(slot.pointee.description)
        guard let token = unsafe slot.pointee.token else {
            token = nil
            return
        }
        self.token = unsafe Token(
            label: text(token.pointee.label),
            manufacturerID: text(token.pointee.manufacturer),
            model: text(token.pointee.model),
            serialNumber: text(token.pointee.serialnr),
            isInitialized: token.pointee.initialized != 0,
            isUserPINSet: token.pointee.userPinSet != 0,
            isUserPINLocked: token.pointee.userPinLocked != 0,
            isWriteProtected: token.pointee.readOnly != 0)
    }
}

private func text(_ string: UnsafeMutablePointer<CChar>?) -> String {
    unsafe string.map { unsafe String(cString: $0) } ?? ""
}
