import PKCS11

extension HSMError {
    /// What a Cryptoki call failed with, by the return value.
    ///
    /// - Parameter todo: the hint where the return value has none of its own.
    init(_ error: PKCS11Error, todo: String = "check the token, then try again") {
        let lacking: Set<ReturnValue> = [.mechanismInvalid, .mechanismParamInvalid, .curveNotSupported, .functionNotSupported]
        let code: Code =
            switch error.returnValue {
            case let value? where lacking.contains(value): .unsupported
            case _ where error.isPINRefusal: .pinRefused
            default: .unavailable
            }
        self.init(code, "\(error)", hint: error.hint ?? todo, cause: error)
    }

    /// After these the same PIN is never sent again.
    static let pinRefusals: Set<ReturnValue> = [
        .pinIncorrect, .pinInvalid, .pinLenRange, .pinLocked, .pinExpired, .userPINNotInitialized, .userAnotherAlreadyLoggedIn,
    ]
}

extension PKCS11Error {
    /// Whether a key is not there, or not there once: both mean that it cannot be used.
    var isAbsence: Bool {
        code == .objectNotFound || code == .objectNotUnique
    }
}
