extension ReturnValue {
    /// What an operator can do about this code, in one line; nil where that depends on what was being done.
    public var hint: String? {
        switch self {
        case .pinIncorrect, .pinInvalid, .pinLenRange:
            "check the PIN; a token locks after a few wrong ones, so do not try it again unchanged"
        case .pinLocked:
            "the PIN is locked after too many wrong tries; have the security officer of the token set a new one"
        case .pinExpired:
            "the PIN must be changed before the token can be used"
        case .userPINNotInitialized:
            "have the security officer of the token set a user PIN, if it has none; SoftHSM says so too while another process writes to it"
        case .tokenNotPresent, .deviceRemoved, .slotIDInvalid:
            "check that the token is there and that the device is connected"
        case .tokenNotRecognized:
            "the token is not initialised, or is not one this module can read"
        case .tokenWriteProtected:
            "the token is write-protected, so no key can be made or destroyed on it"
        case .deviceMemory:
            "the token is full; remove objects that are no longer needed"
        case .sessionCount:
            "the token has no free session; use fewer, or close those of other programs"
        case .cryptokiAlreadyInitialized:
            "another part of this process uses the same module; share one Module instead"
        case .mechanismInvalid, .mechanismParamInvalid:
            "the token does not have this mechanism; choose another key algorithm"
        case .curveNotSupported:
            "the token does not have this elliptic curve; choose another key algorithm"
        default:
            nil
        }
    }
}
