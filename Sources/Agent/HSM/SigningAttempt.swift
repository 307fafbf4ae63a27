import PKCS11

/// One signature to be made, for a caller that waits for it.
protocol SigningJob: AnyObject, Sendable {
    var key: KeyReference { get }
    /// The user it is for: users take turns.
    var uid: UInt32 { get }

    /// What the JWS signs (RFC 7515 §5.1), made by the thread that signs: the one that reads has other things to do. Made anew
    /// when the signature is tried again.
    func signingInput() -> [UInt8]

    /// Whether it may be signed at this moment of the monotonic clock, in nanoseconds: not once the store has not confirmed the key
    /// for too long.
    func maySign(at now: Int64) -> Bool

    /// Whether a token that does not show the key is at fault: not as long as another agent may have destroyed it, which the store
    /// has to be asked first.
    var isKeyCertain: Bool { get }

    /// Called once, on the thread that signed or gave up.
    func end(_ result: Result<SignedInput, HSMError>)

    /// Does something by which several jobs end, this one among them: what their ends have in common is done once.
    func endTogether(_ work: () -> Void)
}

/// What was signed, and the signature as JWS wants it.
struct SignedInput: Sendable {
    let input: [UInt8]
    let signature: [UInt8]
}

/// One signature to be made, with what has been tried for it: decides what is tried next, and does nothing itself.
struct SigningAttempt: Sendable {
    let job: any SigningJob
    /// On the monotonic clock, in nanoseconds. A request that waited longer is not begun.
    let deadline: Int64
    /// Whether the key was out of use, and this request is the one that finds out whether it still is.
    var isTrial = false
    private var pauses = 0
    private var hasLoggedIn = false
    private var hasFreshSession = false

    init(job: any SigningJob, deadline: Int64) {
        self.job = job
        self.deadline = deadline
    }

    enum Step: Equatable, Sendable {
        /// Once more on the same session, after a pause.
        case again(afterMilliseconds: Int)
        /// Log in on the same session, then once more.
        case logIn
        /// Once more on another session; a lost one is not closed.
        case freshSession(isLost: Bool)
        /// Once more, when there is a session again.
        case awaitSession
        case fail(Failure)
    }

    /// Why the request fails, and what follows from it beside.
    struct Failure: Equatable, Sendable {
        let error: HSMError
        var consequence = Consequence.none

        enum Consequence: Hashable, Sendable {
            case none
            /// Ask the token whether it still signs.
            case probe
            /// Refuse the key until a trial has succeeded.
            case keyOutOfUse
            /// The same, and ask the token whether it shows any key.
            case keyAbsent
            /// Refuse what waits.
            case shedLoad
        }
    }

    /// Milliseconds before the second and the third try.
    static let pauseLengths = [20, 80]

    /// - Parameter isLoggedIn: asked only when it matters whether the session still is: a token that logged the process out
    ///   shows no private key at all.
    mutating func next(after error: any Error, isLoggedIn: () -> Bool) -> Step {
        switch Reaction(to: error) {
        case .freshSession(let isLost, let then):
            // Of the signatures a faulty handle has made, only some were verified: the key must not go on.
            if (error as? HSMError)?.code == .signatureFaulty, !job.key.algorithm.verifiesEverySignature {
                return .fail(Failure(error: HSMError(signing: error), consequence: .keyOutOfUse))
            }
            // One missing key must not cost the others their sessions, again and again.
            let isKnown = then == .keyUnavailable && isTrial && isLoggedIn()
            return freshSession(isLost: isLost, orFail: error, then, isKnown: isKnown)
        case .logIn:
            guard hasLoggedIn else {
                hasLoggedIn = true
                return .logIn
            }
            return freshSession(isLost: false, orFail: error, .probe)
        case .backOff:
            return pause() ?? freshSession(isLost: false, orFail: error, .probe)
        case .shedLoad:
            return pause() ?? .fail(Failure(error: HSMError(busy: error), consequence: .shedLoad))
        case .awaitSession:
            return .awaitSession
        case .probe, .latch:
            return .fail(Failure(error: HSMError(signing: error), consequence: .probe))
        case .fail:
            return .fail(Failure(error: HSMError(signing: error)))
        }
    }

    private mutating func pause() -> Step? {
        guard pauses < Self.pauseLengths.count else { return nil }
        defer { pauses += 1 }
        return .again(afterMilliseconds: Self.pauseLengths[pauses])
    }

    private mutating func freshSession(
        isLost: Bool, orFail error: any Error, _ then: Reaction.AfterFreshSession, isKnown: Bool = false
    ) -> Step {
        guard hasFreshSession || isKnown else {
            hasFreshSession = true
            return .freshSession(isLost: isLost)
        }
        switch then {
        case .probe: return .fail(Failure(error: HSMError(signing: error), consequence: .probe))
        case .keyUnavailable:
            let failure = HSMError(keyUnavailable: error, job.key.kid)
            return .fail(Failure(error: failure, consequence: failure.code == .signatureFaulty ? .keyOutOfUse : .keyAbsent))
        }
    }
}

extension HSMError {
    /// A signature that could not be made.
    init(signing error: any Error) {
        switch error {
        case let error as HSMError: self = error
        case let error as PKCS11Error:
            self.init(
                HSMError(error).code, "the token did not sign: \(error)", hint: error.hint ?? "check the token, then try again",
                cause: error)
        default: self.init(.unavailable, "the token did not sign: \(error)", hint: "check the token", cause: error)
        }
    }

    /// A token that has no memory for more.
    fileprivate init(busy error: any Error) {
        self.init(
            .busy, "the token has no room for more requests: \(error)", hint: "try again in a moment, with fewer at once",
            cause: error)
    }

    fileprivate init(keyUnavailable error: any Error, _ kid: String) {
        if let error = error as? HSMError {
            self = error
        } else {
            self.init(
                .keyUnavailable, "key \(kid) cannot be used: \(error)",
                hint: "check that this is the token the key was made on", cause: error)
        }
    }
}
