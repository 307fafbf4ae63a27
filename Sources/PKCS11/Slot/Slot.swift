import CCryptoki

/// A place in a module where a token is or can be (PKCS#11 v2.40 base §3.2).
public struct Slot: Sendable {
    public let module: Module

    /// The module's number for the slot (`CK_SLOT_ID`). It need not be the same after the module is initialised again.
    public let id: UInt

    /// The slot with this number; whether there is one shows at the first use.
    public init(module: Module, id: UInt) {
        self.module = module
        self.id = id
    }

    /// What the token in this slot says about itself (`C_GetTokenInfo`).
    ///
    /// Throws ``PKCS11Error``, `tokenNotPresent` among others.
    public func tokenInfo() throws(PKCS11Error) -> TokenInfo {
        TokenInfo(try cryptokiTokenInfo())
    }

    func cryptokiTokenInfo() throws(PKCS11Error) -> CK_TOKEN_INFO {
        var info = CK_TOKEN_INFO()
        try module.functions.call("C_GetTokenInfo") { unsafe $0.pointee.C_GetTokenInfo!(id, &info) }
        return info
    }

    func cryptokiSlotInfo() throws(PKCS11Error) -> CK_SLOT_INFO {
        var info = CK_SLOT_INFO()
        try module.functions.call("C_GetSlotInfo") { unsafe $0.pointee.C_GetSlotInfo!(id, &info) }
        return info
    }
}

extension Slot: Hashable {
    public static func == (one: Slot, other: Slot) -> Bool {
        one.module === other.module && one.id == other.id
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(module))
        hasher.combine(id)
    }
}

extension Module {
    /// The slots of the module (`C_GetSlotList`), only those with a token in them unless told otherwise.
    public func slots(withToken: Bool = true) throws(PKCS11Error) -> [Slot] {
        let present = CK_BBOOL(withToken ? CK_TRUE : CK_FALSE)
        let identifiers = try list("C_GetSlotList", of: CK_SLOT_ID.self) { functions, buffer, count in
            unsafe functions.pointee.C_GetSlotList!(present, buffer, count)
        }
        return identifiers.map { Slot(module: self, id: $0) }
    }

    /// Asks a function for the length of a list and then for the list, again when it has grown in between
    /// (PKCS#11 v2.40 base §5.2); not for ever, in case the module contradicts itself.
    @safe
    func list<Element: FixedWidthInteger>(
        _ function: StaticString, of type: Element.Type,
        _ body: (UnsafePointer<CK_FUNCTION_LIST>, UnsafeMutablePointer<Element>?, UnsafeMutablePointer<CK_ULONG>)
            -> CK_RV
    ) throws(PKCS11Error) -> [Element] {
        var attempts = 0
        while true {
            attempts += 1
            var count: CK_ULONG = 0
            try functions.call(function) { unsafe body($0, nil, &count) }
            var elements = [Element](repeating: 0, count: Int(count))
            do {
                try functions.call(function) { functions in
                    unsafe elements.withUnsafeMutableBufferPointer { buffer in
                        unsafe body(functions, buffer.baseAddress, &count)
                    }
                }
                return Array(elements.prefix(Int(count)))
            } catch  where error.returnValue == .bufferTooSmall && attempts < 10 {
                continue
            }
        }
    }
}
