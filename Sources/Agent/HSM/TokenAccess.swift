import Foundation
import PKCS11
import Platform

/// The token an agent works with: opens its sessions one after the other, logs in when the token wants it, and initialises
/// the module anew when nothing else helps.
final class TokenAccess: Sendable {
    let module: Module
    private let gate = ModuleGate()
    let knownHandles = KnownHandles()
    private let uri: TokenURI
    private let pin: Locked<PIN>
    private let place: Locked<Place>
    /// Held while a session is opened, since some modules give two threads the same handle otherwise (tpm2-pkcs11), and
    /// while logging in, so that a PIN is sent once.
    private let serial = Signal(count: 1)
    /// Seconds to wait for another thread that opens a session.
    private let openLimit: Double

    private struct Place {
        /// `nil` while the token is not to be found.
        var slot: Slot?
        var info: TokenInfo
        var generation = 1
        /// Sessions whose handle the module said to be invalid, since it was initialised.
        var lostSessions = 0
        /// Key pairs made since then, and those of them that were refused.
        var pairs = 0
        var refusedPairs = 0
        /// The token's answer to the PIN, once it was a refusal: it is not sent again.
        var refusal: PKCS11Error?
        /// Whether the token has taken this PIN.
        var isPINProven = false
        /// Whether the PIN may be sent when one more wrong one locks it.
        var mayUseLastTry: Bool
    }

    private init(module: Module, slot: Slot, info: TokenInfo, pin: PIN, _ configuration: HSMConfiguration) {
        self.module = module
        self.pin = Locked(pin)
        uri = configuration.token
        openLimit = configuration.callLimitSeconds
        place = Locked(Place(slot: slot, info: info, mayUseLastTry: configuration.mayUseLastTry))
    }

    /// What the token said about itself when it was last found.
    var info: TokenInfo { place.withLock { $0.info } }
    /// Counts how often the module was initialised.
    var generation: Int { place.withLock { $0.generation } }
    /// The return value the PIN was refused with, if it was.
    var refusedPIN: ReturnValue? { place.withLock { $0.refusal?.returnValue } }

    /// Whether the token has taken the PIN.
    var isPINProven: Bool { place.withLock { $0.isPINProven } }

    /// Takes another PIN, which has not been refused yet.
    func use(_ pin: PIN) {
        self.pin.withLock { $0 = pin }
        place.withLock { place in
            place.refusal = nil
            place.isPINProven = false
            place.mayUseLastTry = true
        }
    }

    // MARK: - Calling the module

    /// Has the calling thread call the module, unless the gate is closed: see ``ModuleGate``.
    ///
    /// - Parameters:
    ///   - generation: of the module's initialisation that the caller's session belongs to; the call is left out under another.
    ///   - abandonment: answers the caller that waits for the call, from another thread, should it not return in its time.
    func call<Value: ~Copyable>(
        ofGeneration generation: Int? = nil, watchedBy thread: WatchedThread, limit: CallLimit = .usual,
        ifNever abandonment: (@Sendable () -> Void)? = nil, _ work: () -> Value
    ) -> CallOutcome<Value> {
        gate.call(
            watchedBy: thread, limit: limit, if: { generation == nil || generation == self.generation }, ifNever: abandonment,
            work)
    }

    /// As ``ModuleGate/callLate(_:_:)``.
    func callLate(_ thread: WatchedThread, _ work: () -> Void) -> Bool {
        gate.callLate(thread, work)
    }

    /// Has the calling thread call the module while no other is inside, such as to initialise it anew.
    func callAlone<Value: ~Copyable>(
        watchedBy thread: WatchedThread, limit: CallLimit, within seconds: Double, _ work: () -> Value
    ) -> CallOutcome<Value> {
        gate.callAlone(watchedBy: thread, limit: limit, within: seconds, work)
    }

    /// Finalises the module for good, unless a thread is inside it.
    func end() {
        guard gate.close(within: 0) else { return }
        try? module.finalize()
    }

    // MARK: - Finding the token

    /// Loads the module and finds the token, without logging in.
    ///
    /// Several processes that start on one SoftHSM token see it missing now and then, for as long as the module is not
    /// initialised anew: that is tried again for a second.
    static func start(_ configuration: HSMConfiguration, pin: PIN) throws(PKCS11Error) -> TokenAccess {
        let module = try Module(path: configuration.modulePath)
        for _ in 1..<tries {
            do throws(PKCS11Error) {
                return try TokenAccess(module, configuration, pin)
            } catch  where error.mayBeHalfRead {
                Thread.sleep(forTimeInterval: pause())
            }
        }
        return try TokenAccess(module, configuration, pin)
    }

    /// How often that is tried which fails for a moment at a start.
    private static let tries = 5

    /// Seconds: not the same for all that start together, each of which may be what the others stumble over.
    private static func pause() -> Double { .random(in: 0.1...0.3) }

    /// Initialises the module and finds the token; after an error it is not initialised.
    private convenience init(_ module: Module, _ configuration: HSMConfiguration, _ pin: PIN) throws(PKCS11Error) {
        try module.initialize()
        do throws(PKCS11Error) {
            let slot = try module.findSlot(matching: configuration.token)
            self.init(module: module, slot: slot, info: try slot.tokenInfo(), pin: pin, configuration)
        } catch {
            try? module.finalize()
            throw error
        }
    }

    /// Opens the first session, which logs the process in, while no other thread is inside the module. Read-only where the token
    /// cannot be written to.
    ///
    /// Several processes that start on one SoftHSM token fail to log in now and then; a refused PIN is not tried again.
    func openFirstSession() throws(PKCS11Error) -> Session {
        for _ in 1..<Self.tries {
            do throws(PKCS11Error) {
                return try openAnySession()
            } catch {
                if error.isPINRefusal { throw error }
                Thread.sleep(forTimeInterval: Self.pause())
                // What it says to that is said by the next try as well.
                if error.mayBeHalfRead { try? reinitialise() }
            }
        }
        return try openAnySession()
    }

    /// Opens a session that can write, or, since on a token that cannot be written to what is there can still be read and signed
    /// with, one that cannot.
    func openAnySession() throws(PKCS11Error) -> Session {
        do throws(PKCS11Error) {
            return try openSession(.readWrite)
        } catch {
            guard error.returnValue == .tokenWriteProtected || error.returnValue == .sessionReadOnly else { throw error }
            return try openSession(.readOnly)
        }
    }

    /// The token's slot; looked for again when it was not there the last time.
    private func slot() throws(PKCS11Error) -> Slot {
        if let slot = place.withLock({ $0.slot }) { return slot }
        return try findAgain()
    }

    /// Looks for the token by its URI.
    @discardableResult
    func findAgain() throws(PKCS11Error) -> Slot {
        let slot = try module.findSlot(matching: uri)
        let info = try slot.tokenInfo()
        place.withLock { place in
            place.slot = slot
            place.info = info
        }
        return slot
    }

    /// The first half of R3: finalises the module and initialises it. `findAgain()` is the other.
    ///
    /// To be called alone (``callAlone(watchedBy:limit:within:_:)``). Sessions opened before are of no use afterwards. After an
    /// error the module is not initialised.
    func reinitialise() throws(PKCS11Error) {
        place.withLock { place in
            place.slot = nil
            place.generation += 1
            place.lostSessions = 0
            place.pairs = 0
            place.refusedPairs = 0
        }
        // One that says it was not initialised, or cannot be finalised, may still be initialised.
        try? module.finalize()
        do throws(PKCS11Error) {
            try module.initialize()
        } catch {
            // That it could not be finalised is no reason to do without it.
            guard error.returnValue == .cryptokiAlreadyInitialized else { throw error }
        }
    }

    // MARK: - Room

    /// Notes that the token has made a key pair.
    func notePair() {
        place.withLock { $0.pairs += 1 }
    }

    /// Notes that a pair it has made was refused.
    func noteRefusedPair() {
        place.withLock { $0.refusedPairs += 1 }
    }

    /// What room the token has now, as far as it says.
    func room(_ session: borrowing Session) throws(PKCS11Error) -> TokenRoom {
        let info = try session.slot.tokenInfo()
        return place.withLock { place in
            TokenRoom(
                freeBytes: [info.freePublicMemory, info.freePrivateMemory].compactMap(\.self).min(), pairs: place.pairs,
                refusedPairs: place.refusedPairs)
        }
    }

    /// Key pairs made since the module was initialised.
    var pairs: Int { place.withLock { $0.pairs } }

    // MARK: - Sessions

    /// Sessions that were given up without being closed, since their handles had become invalid. A module that was wrong
    /// about that still counts them, until it is initialised anew.
    var lostSessions: Int { place.withLock { $0.lostSessions } }

    /// Gives up a session whose handle is invalid: closing it could close another session, which has been given the number.
    func abandonLost(_ session: consuming TokenSession) {
        let generation = session.generation
        session.abandon()
        place.withLock { place in
            if place.generation == generation { place.lostSessions += 1 }
        }
    }

    /// Opens a session that is logged in.
    ///
    /// The login belongs to the process and lasts while it has a session. A token that lost it is sent the PIN again, until
    /// it refuses it.
    func openSession(_ access: SessionAccess) throws(PKCS11Error) -> Session {
        guard serial.wait(seconds: openLimit) else { throw .sessionPending }
        defer { serial.send() }
        let session = try slot().openSession(access)
        try logInIfNeeded(session)
        return session
    }

    /// R2: logs in again, unless another thread has done so meanwhile.
    func logIn(_ session: borrowing Session) throws(PKCS11Error) {
        guard serial.wait(seconds: openLimit) else { throw .sessionPending }
        defer { serial.send() }
        try logInIfNeeded(session)
    }

    private func logInIfNeeded(_ session: borrowing Session) throws(PKCS11Error) {
        if try session.info().state.isUserLoggedIn { return }
        let (refusal, mayUseLastTry) = place.withLock { ($0.refusal, $0.isPINProven || $0.mayUseLastTry) }
        if let refusal { throw refusal }
        let pin = pin.withLock { $0 }
        let info = try session.slot.tokenInfo()
        if !mayUseLastTry, info.flags.contains(.userPINFinalTry) { throw .lastTry }
        // A try of the token's is not worth a PIN that cannot be right.
        if let lengths = info.pinLengths, !pin.hasLength(in: lengths) { throw .wrongLength(lengths) }
        do throws(PKCS11Error) {
            try session.login(pin: pin)
        } catch {
            let isUnsettled =
                error.returnValue == .userPINNotInitialized
                && (info.flags.contains(.userPINInitialized) || session.slot.saysThatPINIsSet)
            let failure = isUnsettled ? .pinUnsettled : error
            if failure.isPINRefusal { place.withLock { $0.refusal = failure } }
            guard failure.returnValue == .userAlreadyLoggedIn, try session.info().state.isUserLoggedIn else { throw failure }
        }
        place.withLock { $0.isPINProven = true }
    }
}

extension Slot {
    fileprivate var saysThatPINIsSet: Bool { (try? tokenInfo())?.flags.contains(.userPINInitialized) == true }
}

extension PKCS11Error {
    /// Whether it can come of a token that was read while another process wrote to it, which lasts until the module is initialised
    /// anew.
    fileprivate var mayBeHalfRead: Bool {
        code == .pinUnsettled || code == .tokenNotFound || returnValue == .generalError || returnValue == .cryptokiNotInitialized
    }

    /// Whether the token refused the PIN, or may not be given it: it is not sent again.
    var isPINRefusal: Bool {
        code == .pinNotSent || returnValue.map(HSMError.pinRefusals.contains) == true
    }

    fileprivate static func wrongLength(_ lengths: ClosedRange<UInt>) -> PKCS11Error {
        PKCS11Error(
            .pinNotSent,
            "the token takes PINs of \(lengths.lowerBound) to \(lengths.upperBound) bytes, and this one is none: "
                + "it is not sent", hint: "write the PIN and nothing else into its source")
    }

    fileprivate static let lastTry = PKCS11Error(
        .pinNotSent, "the token has one try left for its PIN, and this PIN has not been taken by it before, so it is not sent",
        hint: "make sure the PIN is right, log in with it once by another program, and start again")

    /// SoftHSM writes the file of a token in place at each login: who initialises the module just then finds no PIN in it, and goes
    /// on finding none until the module is initialised anew.
    fileprivate static let pinUnsettled = PKCS11Error(
        .pinUnsettled,
        "C_Login: CKR_USER_PIN_NOT_INITIALIZED, although the token says that its user PIN is set: another process may have been "
            + "writing to it", hint: "nothing, if it does not go on; if it does, have the module and the HSM examined")

    fileprivate static let sessionPending = PKCS11Error(
        .sessionPending, "another session has been opening for too long", hint: "have the module and the HSM examined")
}

extension PKCS11Error.Code {
    /// The PIN cannot be right, or it is not known to be and the token has one try left.
    static let pinNotSent = PKCS11Error.Code("PIN_NOT_SENT")
    /// The token says in one breath that its PIN is set, and in the next that it is not.
    static let pinUnsettled = PKCS11Error.Code("PIN_UNSETTLED")
    /// A call that opens a session has not returned.
    static let sessionPending = PKCS11Error.Code("SESSION_PENDING")
}
