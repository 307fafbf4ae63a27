import Foundation
import PKCS11
import Platform

/// The token an agent works with: opens its sessions one after the other, and logs in when the token wants it.
final class TokenAccess: Sendable {
    let module: Module
    let slot: Slot
    let info: TokenInfo
    /// Counts how often the module was initialised.
    let generation = 1
    private let pin: PIN
    /// Held while a session is opened, since some modules give two threads the same handle otherwise (tpm2-pkcs11), and
    /// while logging in, so that a PIN is sent once.
    private let lock = NSLock()
    /// The token's answer to the PIN, once it was a refusal: it is not sent again.
    private let refusal = Locked(PKCS11Error?.none)

    private init(module: Module, slot: Slot, info: TokenInfo, pin: PIN) {
        self.module = module
        self.slot = slot
        self.info = info
        self.pin = pin
    }

    /// Loads the module and finds the token. Nobody is logged in yet.
    ///
    /// Several processes that start on one SoftHSM token see it missing now and then: that is tried again for a second.
    static func start(_ configuration: HSMConfiguration, pin: PIN) throws(PKCS11Error) -> TokenAccess {
        let module = try Module(path: configuration.modulePath)
        try module.initialize()
        do throws(PKCS11Error) {
            let slot = try findSlot(of: module, configuration.token)
            return TokenAccess(module: module, slot: slot, info: try slot.tokenInfo(), pin: pin)
        } catch {
            try? module.finalize()
            throw error
        }
    }

    private static func findSlot(of module: Module, _ uri: TokenURI) throws(PKCS11Error) -> Slot {
        for _ in 1..<5 {
            do throws(PKCS11Error) {
                return try module.findSlot(matching: uri)
            } catch  where error.code == .tokenNotFound || error.returnValue == .generalError {
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
        return try module.findSlot(matching: uri)
    }

    /// Opens a session that is logged in.
    ///
    /// The login belongs to the process and lasts while it has a session. A token that lost it is sent the PIN again, until
    /// it refuses it.
    func openSession(_ access: SessionAccess) throws(PKCS11Error) -> Session {
        lock.lock()
        defer { lock.unlock() }
        let session = try slot.openSession(access)
        if try !session.info().state.isUserLoggedIn { try logIn(session) }
        return session
    }

    private func logIn(_ session: borrowing Session) throws(PKCS11Error) {
        if let refused = refusal.withLock({ $0 }) { throw refused }
        do throws(PKCS11Error) {
            try session.login(pin: pin)
        } catch {
            let failure = error
            if failure.returnValue.map(HSMError.pinRefusals.contains) == true { refusal.withLock { $0 = failure } }
            guard failure.returnValue == .userAlreadyLoggedIn, try session.info().state.isUserLoggedIn else { throw failure }
        }
    }

    /// The return value the PIN was refused with, if it was.
    var refusedPIN: ReturnValue? { refusal.withLock { $0?.returnValue } }
}
