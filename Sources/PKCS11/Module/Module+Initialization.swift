import CCryptoki
import Foundation
import Platform
import Synchronization

extension Module {
    /// Initialises the module for use by several threads (`C_Initialize` with `CKF_OS_LOCKING_OK`).
    ///
    /// Can be called again after ``finalize()``. Throws ``PKCS11Error``: `cryptokiAlreadyInitialized` when this process
    /// did so before, and `cantLock` when the module is not made for threads. Where SoftHSM's `generalError` is one of its
    /// configuration, the error says so.
    public func initialize() throws(PKCS11Error) {
        var arguments = unsafe CK_C_INITIALIZE_ARGS()
        unsafe arguments.flags = CK_FLAGS(CKF_OS_LOCKING_OK)
        try Self.oneAtATime { () throws(PKCS11Error) in
            do throws(PKCS11Error) {
                try functions.call("C_Initialize") { unsafe $0.pointee.C_Initialize!(&arguments) }
            } catch {
                guard error.returnValue == .generalError, SoftHSMConfiguration.isRead(byModule: path),
                    let fault = SoftHSMConfiguration().fault()
                else { throw error }
                throw PKCS11Error(
                    error.code, function: error.function, "\(error.message): \(fault.message)", hint: fault.hint)
            }
        }
    }

    /// Calls while no other module of the process is being initialised or finalised.
    ///
    /// The standard asks for that with one module only, but modules share what lies beneath: SoftHSM 2.6.1 reads its
    /// configuration with strtok(3), and two copies of it at once read each other's lines, and then find no token; and what
    /// they set up and take down in OpenSSL is the process's.
    package static func oneAtATime<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        initialization.lock()
        defer { initialization.unlock() }
        return try body()
    }

    private static let initialization = NSLock()

    /// Ends the use of the module (`C_Finalize`): every session is closed and every login gone.
    ///
    /// No other call into the module may be under way (PKCS#11 v2.40 base §5.4). Sessions opened before are of no use
    /// afterwards, also when the module is initialised again: they throw `sessionHandleInvalid`.
    public func finalize() throws(PKCS11Error) {
        lifetime.add(1, ordering: .sequentiallyConsistent)
        // What a module has loaded by itself it may unload now, under threads that have used it.
        LoadedLibraries.keep()
        try Self.oneAtATime { () throws(PKCS11Error) in
            try functions.call("C_Finalize") { unsafe $0.pointee.C_Finalize!(nil) }
        }
    }

    /// What the module says about itself (`C_GetInfo`).
    public func info() throws(PKCS11Error) -> ModuleInfo {
        ModuleInfo(try cryptokiInfo())
    }

    func cryptokiInfo() throws(PKCS11Error) -> CK_INFO {
        var info = CK_INFO()
        try functions.call("C_GetInfo") { unsafe $0.pointee.C_GetInfo!(&info) }
        return info
    }
}
