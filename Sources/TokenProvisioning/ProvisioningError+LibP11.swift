import CLibP11

extension ProvisioningError {
    /// Calls a function of libp11, and turns a result other than zero into an error that names it.
    static func check(_ function: String, _ body: () -> CInt) throws(ProvisioningError) {
        ERR_clear_error()
        guard body() != 0 else { return }
        throw fromErrorQueue(function)
    }

    /// The error that libp11 left on libcrypto's queue, which it leaves empty.
    ///
    /// The module's return value is the reason of an entry of libp11's "PKCS#11 module" library; the oldest entry is
    /// the cause.
    static func fromErrorQueue(_ function: String) -> ProvisioningError {
        let entry = ERR_get_error()
        ERR_clear_error()
        guard entry != 0 else {
            return ProvisioningError(.libraryFailure, function: function, "\(function) failed and does not say why")
        }
        let reason = unsafe ERR_reason_error_string(entry).map { unsafe String(cString: $0) }
        let number = "0x" + String(ERR_GET_REASON(entry), radix: 16)
        let (code, hint) = meaning(of: entry)
        let name = code == .libraryFailure ? number : code.rawValue
        return ProvisioningError(
            code, function: function, "\(function): \(name)" + (reason.map { " (\($0))" } ?? ""), hint: hint)
    }

    private static func meaning(of entry: UInt) -> (code: Code, hint: String?) {
        guard isReturnValue(entry) else { return (.libraryFailure, nil) }
        // PKCS#11 v2.40 base, appendix B.
        return switch ERR_GET_REASON(entry) {
        case 0xA0: (.pinIncorrect, "check the PIN; a token locks after a few wrong ones")
        case 0xA1: (.pinInvalid, "the token does not take this PIN; choose another")
        case 0xA2: (.pinLengthRange, "the token wants a longer or a shorter PIN")
        case 0xA4: (.pinLocked, "the PIN is locked; a user PIN can be set again by the security officer")
        case 0xE2: (.libraryFailure, "the token is write-protected")
        case 0xB6: (.libraryFailure, "another program has a session open with the token; stop it first")
        default: (.libraryFailure, nil)
        }
    }

    /// Whether an entry's reason is what a Cryptoki function returned.
    private static func isReturnValue(_ entry: UInt) -> Bool {
        guard let library = unsafe ERR_lib_error_string(entry) else { return false }
        return unsafe String(cString: library) == "PKCS#11 module"
    }
}
