import CCryptoki
import Glibc
import Synchronization

/// A PKCS#11 module: a shared library that speaks Cryptoki for a token.
///
/// Make one for each library of the process and share it: the library has one state however often it is loaded. Its
/// functions may be called from any thread once it is initialised. A process must not fork after ``initialize()``
/// (PKCS#11 v2.40 usage guide §2.5.2), and should call ``finalize()`` before it ends.
public final class Module: Sendable {
    /// The file the module was loaded from.
    public let path: String

    let functions: FunctionList

    /// Counts the calls of ``finalize()``. Session handles are numbers that a module gives out again afterwards, so a
    /// session carries the count of its time and does nothing in another.
    let lifetime = Atomic<UInt64>(0)

    /// Loads a module into the process, for good: it is never unloaded, since threads may still be in its code.
    ///
    /// A path without a slash is searched for as dlopen(3) says. Throws ``PKCS11Error`` with the code `moduleNotLoaded`
    /// for a file that is missing or no PKCS#11 module, `functionMissing` for one that lacks a function needed here,
    /// or what `C_GetFunctionList` returned.
    public init(path: String) throws(PKCS11Error) {
        guard let library = unsafe dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "unknown reason"
            throw PKCS11Error(
                .moduleNotLoaded, function: "dlopen", "the PKCS#11 module \(path) cannot be loaded: \(reason)",
                hint: "check the module's path, and that its package is installed")
        }
        guard let symbol = unsafe dlsym(library, "C_GetFunctionList") else {
            throw PKCS11Error(
                .moduleNotLoaded, function: "dlsym",
                "\(path) is a shared library but no PKCS#11 module: it has no C_GetFunctionList",
                hint: "give the path of the PKCS#11 module that came with the token")
        }
        let getFunctionList = unsafe unsafeBitCast(symbol, to: GetFunctionList.self)
        var list: CK_FUNCTION_LIST_PTR?
        let returnValue = unsafe getFunctionList(&list)
        guard returnValue == CKR_OK else {
            throw PKCS11Error(function: "C_GetFunctionList", ReturnValue(returnValue))
        }
        guard let list = unsafe list else {
            throw PKCS11Error(
                .moduleNotLoaded, function: "C_GetFunctionList", "\(path) returned no function list",
                hint: "give the path of the PKCS#11 module that came with the token")
        }
        functions = unsafe FunctionList(pointer: UnsafePointer(list))
        self.path = path
        let missing = functions.missing
        guard missing.isEmpty else {
            throw unsafe PKCS11Error(
                .functionMissing, function: "C_GetFunctionList",
                "\(path) (Cryptoki \(Version(list.pointee.version))) lacks \(missing.joined(separator: ", "))",
                hint: "use a module that implements PKCS#11 v2.20 or later")
        }
    }

    /// The version of Cryptoki that the function list has.
    public var cryptokiVersion: Version {
        unsafe Version(functions.pointer.pointee.version)
    }

    private typealias GetFunctionList = @convention(c) (UnsafeMutablePointer<CK_FUNCTION_LIST_PTR?>) -> CK_RV
}
