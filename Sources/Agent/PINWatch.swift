import Foundation
import IssuerStore
import Logging
import PKCS11
import Platform

/// Sends the token the PIN: once, and one that it has refused not again, after a restart neither, until the source of the PIN
/// changes.
final class PINWatch: Sendable {
    private let hsm: HSM
    private let source: PINSource
    private let store: any IssuerStorage
    private let clock: AgentClock
    private let log: Logger
    /// The state of the source when the PIN was last tried.
    private let tried: Locked<String>
    /// Whether the store remembers a refusal that happened while the agent ran.
    private let isRefusalNoted = Locked(false)

    /// Watches over the PIN of a token that the agent has logged in to.
    init(_ hsm: HSM, source: PINSource, store: any IssuerStorage, clock: AgentClock, log: Logger) {
        self.hsm = hsm
        self.source = source
        self.store = store
        self.clock = clock
        self.log = log
        tried = Locked(hsm.pinIdentity)
    }

    // MARK: - While the agent runs

    /// Remembers a PIN that the token has refused, forgets it once one was taken, and tries another when the source has changed.
    /// To be called once a second, by one task.
    func look() async {
        guard hsm.isLatched || hsm.refusedPIN != nil else {
            // Only a PIN that was taken ends the memory of one that was not.
            guard isRefusalNoted.withLock({ $0 }), hsm.isPINProven else { return }
            guard (try? await store.setRefusedPIN(nil)) != nil else { return }
            return isRefusalNoted.withLock { $0 = false }
        }
        await noteRefusal()
        // Before the recovery has taken note of a refusal, another PIN would not be tried.
        guard hsm.isLatched else { return }
        do {
            let identity = try source.identity()
            guard identity != tried.withLock({ $0 }) else { return }
            let corrected = try source.read()
            // One that is being written just now is looked at the next time.
            guard try source.identity() == identity else { return }
            tried.withLock { $0 = identity }
            log.notice("the source of the PIN has changed: trying it")
            hsm.use(corrected)
        } catch {
            log.debug("the source of the PIN cannot be read", metadata: ["reason": "\(error)"])
        }
    }

    /// Remembers a PIN that the token has refused, if it has.
    func noteRefusal() async {
        let tried = tried.withLock { $0 }
        guard let returnValue = hsm.refusedPIN, (try? await store.refusedPIN())?.source != tried else { return }
        let refused = RefusedPIN(source: tried, returnValue: returnValue.name, at: clock.wall())
        guard await Self.note(refused, in: store, log) else { return }
        isRefusalNoted.withLock { $0 = true }
        log.error("the token refused the PIN: it is not sent again", metadata: ["reason": "\(returnValue.name)"])
    }

    // MARK: - Logging in

    /// Sends the PIN once. One that was refused is remembered with its source and not sent again until that changes.
    static func logIn(
        _ configuration: AgentConfiguration, store: (any IssuerStorage)?, _ environment: AgentEnvironment
    ) async throws -> HSM {
        let source = configuration.pin
        let identity = try source.identity()
        let refused = try await store?.refusedPIN()
        if let refused, refused.source == identity {
            throw HSMError(
                .pinRefused, "the token refused this PIN before (\(refused.returnValue)), so it is not sent again",
                hint: source.correction)
        }
        do {
            var hsmConfiguration = configuration.hsm
            hsmConfiguration.mayUseLastTry = refused != nil
            let pin = try source.read()
            guard try source.identity() == identity else {
                throw HSMError(
                    .unavailable, "the source of the PIN changed while it was read", hint: "start the agent again")
            }
            if let obstacle = pin.swapObstacle {
                environment.log.warning(
                    "the PIN may be written to swap: its memory could not be locked",
                    metadata: [
                        "reason": "mlock: \(obstacle)", "limit": "\(LockedMemory.limitText)",
                        "hint": "raise the limit on locked memory: LimitMEMLOCK= of the unit, or ulimit -l",
                    ])
            }
            let hsm = try await onThread(
                "login", atMost: .seconds(6 * hsmConfiguration.callLimitSeconds), orElse: HSMError.stuck(.unanswered)
            ) { [hsmConfiguration] in
                try HSM(hsmConfiguration, pin: pin, pinIdentity: identity, clock: environment.clock, log: environment.log)
            }
            do {
                if refused != nil { try await store?.setRefusedPIN(nil) }
            } catch {
                await hsm.shutdown()
                throw error
            }
            return hsm
        } catch let error as HSMError where error.code == .pinRefused {
            // Without a return value, the PIN was not sent.
            if let returnValue = (error.cause as? PKCS11Error)?.returnValue {
                let refused = RefusedPIN(source: identity, returnValue: returnValue.name, at: environment.clock.wall())
                await note(refused, in: store, environment.log)
            }
            throw error
        }
    }

    /// Returns whether the refusal is on disk, where there is a store.
    @discardableResult
    private static func note(_ refused: RefusedPIN, in store: (any IssuerStorage)?, _ log: Logger) async -> Bool {
        do {
            try await store?.setRefusedPIN(refused)
            return true
        } catch {
            log.error("a refused PIN could not be noted", metadata: ["reason": "\(error)"])
            return false
        }
    }
}
