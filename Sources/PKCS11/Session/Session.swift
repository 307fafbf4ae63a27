import CCryptoki
import Synchronization

/// A logical connection to a token (PKCS#11 v2.40 base §2.6).
///
/// A session does one thing at a time, so it can be handed over to another thread but not shared with one: it is neither
/// copyable nor `Sendable`. It is closed when it goes out of scope; ``close()`` does the same and reports a failure.
/// Opening sessions one after the other is the caller's task: some modules hand out the same session twice otherwise.
public struct Session: ~Copyable {
    public let slot: Slot

    /// The module's number for the session (`CK_SESSION_HANDLE`), for logs.
    public let handle: UInt

    private let lifetime: UInt64
    private var isOpen = true

    fileprivate init(slot: Slot, handle: UInt, lifetime: UInt64) {
        self.slot = slot
        self.handle = handle
        self.lifetime = lifetime
    }

    deinit {
        guard isOpen, isOfThisLifetime else { return }
        // A session that cannot be closed is one that the module has lost already.
        _ = unsafe slot.module.functions.pointer.pointee.C_CloseSession!(handle)
    }

    /// Closes the session (`C_CloseSession`). The last one of a process to be closed logs it out of the token.
    public consuming func close() throws(PKCS11Error) {
        isOpen = false
        try call("C_CloseSession") { unsafe $0.pointee.C_CloseSession!($1) }
    }

    /// Gives the session up without calling the module: for one whose last call never returned.
    public consuming func abandon() {
        isOpen = false
    }

    /// What the module says about the session (`C_GetSessionInfo`).
    public func info() throws(PKCS11Error) -> SessionInfo {
        var info = CK_SESSION_INFO()
        try call("C_GetSessionInfo") { unsafe $0.pointee.C_GetSessionInfo!($1, &info) }
        return SessionInfo(info)
    }

    /// False once the module was finalised: the handle may now be another session's.
    private var isOfThisLifetime: Bool {
        slot.module.lifetime.load(ordering: .acquiring) == lifetime
    }

    /// Calls a function with the session's handle; see ``FunctionList/call(_:_:)``.
    @safe @inline(__always)
    func call(
        _ function: StaticString, _ body: (UnsafePointer<CK_FUNCTION_LIST>, CK_SESSION_HANDLE) -> CK_RV
    ) throws(PKCS11Error) {
        guard isOfThisLifetime else {
            throw PKCS11Error(function: function.description, .sessionHandleInvalid)
        }
        try slot.module.functions.call(function) { unsafe body($0, handle) }
    }
}

@available(*, unavailable, message: "a session can be handed over to another thread, but not shared with one")
extension Session: Sendable {}

extension Slot {
    /// Opens a session with the token (`C_OpenSession`).
    ///
    /// Throws ``PKCS11Error``: `sessionCount` when the token has none left, `tokenWriteProtected` for a read/write one
    /// on a token that is, and others.
    public func openSession(_ access: SessionAccess) throws(PKCS11Error) -> Session {
        let lifetime = module.lifetime.load(ordering: .acquiring)
        // The flag stands for a world without parallel sessions, and must be set (PKCS#11 v2.40 base §5.6).
        let flags = CKF_SERIAL_SESSION | (access == .readWrite ? CKF_RW_SESSION : 0)
        var handle: CK_SESSION_HANDLE = 0
        try module.functions.call("C_OpenSession") {
            unsafe $0.pointee.C_OpenSession!(id, CK_FLAGS(flags), nil, nil, &handle)
        }
        return Session(slot: self, handle: handle, lifetime: lifetime)
    }
}

/// What a session may do to the objects of a token.
public enum SessionAccess: Hashable, Sendable {
    case readOnly
    /// Needed to make and destroy keys.
    case readWrite
}
