import PKCS11

/// What is done about a call that failed, as far as the return value decides it.
///
/// R1 is a fresh session, R2 a new login, R3 the module initialised anew, D the HSM marked down, F a failure of this request
/// alone: see the section on the token in `ARCHITECTURE.md`.
enum Reaction: Hashable, Sendable {
    /// R1: once more on a fresh session, with the key found anew; then what `then` says. A `lost` handle is not given back,
    /// since the module may have given its number to another session.
    case freshSession(isLost: Bool, then: AfterFreshSession)
    /// R2 once, then R1.
    case logIn
    /// Three tries with pauses between, then R1: the token throttles.
    case backOff
    /// Three tries with pauses between, then `BUSY` for this request and those that wait: memory is short.
    case shedLoad
    /// No session is left: wait for one to the deadline, then `BUSY`.
    case awaitSession
    /// The token is asked by a probe at once whether it is still there; this request fails.
    case probe
    /// As `probe`; a probe that ends so is the last before the PIN's source has changed.
    case latch
    /// F: this request fails, whatever else the token does.
    case fail

    enum AfterFreshSession: Hashable, Sendable {
        /// This request fails, and a probe finds out about the others.
        case probe
        /// The key cannot be used, the others can.
        case keyUnavailable
    }

    init(to value: ReturnValue) {
        self =
            switch value {
            case .sessionHandleInvalid, .sessionClosed: .freshSession(isLost: true, then: .probe)
            case .objectHandleInvalid, .keyHandleInvalid: .freshSession(isLost: false, then: .keyUnavailable)
            case .userNotLoggedIn: .logIn
            case .deviceRemoved, .tokenNotPresent, .tokenNotRecognized, .slotIDInvalid, .cryptokiNotInitialized: .probe
            case .functionFailed: .backOff
            case .hostMemory, .deviceMemory: .shedLoad
            case .sessionCount: .awaitSession
            case .tokenWriteProtected, .sessionReadOnly, .mechanismInvalid, .mechanismParamInvalid, .keyTypeInconsistent,
                .keyFunctionNotPermitted, .keySizeRange, .dataLenRange, .dataInvalid, .argumentsBad, .curveNotSupported,
                .functionNotSupported, .bufferTooSmall:
                .fail
            case let value where HSMError.pinRefusals.contains(value): .latch
            // DEVICE_ERROR, GENERAL_ERROR, OPERATION_ACTIVE, OPERATION_NOT_INITIALIZED, and what nobody has heard of.
            default: .freshSession(isLost: false, then: .probe)
            }
    }

    init(to error: any Error) {
        switch error {
        case let error as PKCS11Error where error.isAbsence: self = .freshSession(isLost: false, then: .keyUnavailable)
        case let error as PKCS11Error:
            self = error.returnValue.map { Reaction(to: $0) } ?? .freshSession(isLost: false, then: .probe)
        case let error as HSMError where [.keyUnavailable, .signatureFaulty].contains(error.code):
            self = .freshSession(isLost: false, then: .keyUnavailable)
        default: self = .fail
        }
    }
}

extension Reaction {
    /// Whether such an error can come of a handle that is another object's, or nobody's.
    var mayBeOfHandle: Bool {
        switch self {
        case .fail, .freshSession(isLost: false, then: .keyUnavailable): true
        default: false
        }
    }
}

extension ReturnValue {
    /// Whether initialising the module anew may help: not against a token that throttles or has no room.
    var mayEndByInitialising: Bool {
        switch Reaction(to: self) {
        case .backOff, .shedLoad, .awaitSession, .latch: false
        default: true
        }
    }
}
