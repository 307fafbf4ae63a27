import PKCS11

extension CustodyAttributes {
    /// What is wrong with how a token holds a private key, by attribute; empty for a key that may be used.
    ///
    /// An attribute the token does not report counts as wrong: custody is shown, not assumed.
    var refusals: [String] {
        let wanted: [(String, Bool?, Bool)] = [
            ("CKA_SENSITIVE", sensitive, true), ("CKA_EXTRACTABLE", extractable, false),
            ("CKA_ALWAYS_SENSITIVE", alwaysSensitive, true), ("CKA_NEVER_EXTRACTABLE", neverExtractable, true),
            ("CKA_LOCAL", local, true), ("CKA_SIGN", sign, true), ("CKA_DECRYPT", decrypt, false),
            ("CKA_UNWRAP", unwrap, false), ("CKA_DERIVE", derive, false),
        ]
        return wanted.compactMap { name, value, wanted in
            guard value != wanted else { return nil }
            return value.map { "\(name) is \($0)" } ?? "\(name) is not reported"
        }
    }
}

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
