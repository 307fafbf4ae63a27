import Foundation
import JOSE
import KeyLifecycle
import Logging
import PKCS11
import Platform

/// The one thread that finds out whether the token still signs and brings it back: what it does is `TokenCondition`'s
/// decision.
final class TokenRecovery: Sendable {
    private let access: TokenAccess
    private let status: HSMStatus
    private let calls: CallWatch
    private let clock: AgentClock
    private let log: Logger
    private let condition: Locked<TokenCondition>
    private let wake = Signal()
    private let isClosed = Locked(false)
    /// Seconds to wait for the calls under way before the module is finalised.
    private let drainLimit: Double
    /// Called when the token goes out of use, with why, and when it is back, with `nil`.
    private let changed: @Sendable (HSMError?) -> Void
    /// Called when the process has to end.
    private let end: @Sendable (HSMError) -> Void

    /// Published keys that are looked at to prove or to probe the token.
    private static let witnesses = 16

    init(
        access: TokenAccess, status: HSMStatus, calls: CallWatch, configuration: HSMConfiguration, clock: AgentClock,
        log: Logger, changed: @escaping @Sendable (HSMError?) -> Void, end: @escaping @Sendable (HSMError) -> Void
    ) {
        self.access = access
        self.status = status
        self.calls = calls
        self.clock = clock
        self.log = log
        self.changed = changed
        self.end = end
        drainLimit = configuration.callLimitSeconds
        condition = Locked(
            TokenCondition(initialisationInterval: Int64(configuration.initialisationIntervalSeconds * 1_000_000_000)))
    }

    /// A call failed in a way that may concern the whole token.
    func suspect() {
        condition.withLock { $0.suspect() }
        wake.send()
    }

    /// Whether the token waits for another PIN.
    var isLatched: Bool {
        condition.withLock { if case .latched = $0.state { true } else { false } }
    }

    /// Another PIN is there to be tried.
    func unlatch() {
        condition.withLock { $0.unlatch() }
        wake.send()
    }

    func close() {
        isClosed.withLock { $0 = true }
        wake.send()
    }

    /// Does what is to be done until `close()`. Runs on a thread of its own, whose calls `thread` watches.
    func run(_ thread: WatchedThread) {
        while !isClosed.withLock({ $0 }) {
            publish()
            let now = clock.monotonic()
            let stuck = calls.stuckCalls
            switch condition.withLock({ $0.action(at: now, stuckCalls: stuck) }) {
            case .wait(let until):
                if let until {
                    _ = wake.wait(seconds: max(Double(until - now) / 1_000_000_000, 0.001))
                } else {
                    wake.wait()
                }
            case .probe:
                guard let failure = watched(thread, probe) else { return }
                let now = clock.monotonic()
                condition.withLock { $0.probed(failure.error, at: now) }
            case .reinitialise:
                guard let failure = watched(thread, reinitialise) else { return }
                let now = clock.monotonic()
                condition.withLock { condition in
                    failure.error?.code == .busy
                        ? condition.stayedBusy(at: now) : condition.reinitialised(failure.error, at: now)
                }
            case .end(let error):
                return end(error)
            }
        }
    }

    private struct Outcome {
        let error: HSMError?
    }

    /// - Returns: `nil` when the thread has been given up meanwhile.
    private func watched(_ thread: WatchedThread, _ work: () throws -> Void) -> Outcome? {
        // Each of the calls may take its time.
        guard thread.begin(limitSeconds: 6 * drainLimit) else { return nil }
        var outcome = Outcome(error: nil)
        do {
            try work()
        } catch {
            outcome = Outcome(error: HSMError(probing: error))
        }
        return thread.end() ? outcome : nil
    }

    /// Makes the condition known, when it has changed.
    private func publish() {
        let trouble = condition.withLock { $0.trouble }
        let before = status.trouble
        guard trouble?.message != before?.message else { return }
        status.setTrouble(trouble)
        changed(trouble)
        if let trouble {
            log.error("the token is out of use", metadata: ["reason": "\(trouble)", "hint": "\(trouble.hint)"])
        } else {
            log.notice("the token is in use again")
        }
    }

    // MARK: - Probing

    /// Opens a session and signs with a published key. A signature that verifies by the public key in the store also proves
    /// that the token is the one the keys were made on.
    private func probe() throws {
        // Nobody but this thread closes the gate, until the agent shuts down.
        guard access.gate.enter() else { throw HSMError.callsUnderWay }
        defer { access.gate.leave() }
        try signWithWitness()
    }

    /// R3, and a probe.
    private func reinitialise() throws {
        guard access.gate.close(within: drainLimit) else {
            throw HSMError.callsUnderWay
        }
        defer { access.gate.open() }
        let serial = access.info.serialNumber
        log.notice("initialising the PKCS#11 module anew")
        try access.reinitialise()
        let found = access.info
        if found.serialNumber != serial {
            log.notice(
                "the token has another serial number",
                metadata: ["token": "\(found.label)", "before": "\(serial)", "now": "\(found.serialNumber)"])
        }
        try signWithWitness()
    }

    private func openSession() throws -> Session {
        do {
            return try access.openSession(.readOnly)
        } catch {
            let lost = access.lostSessions
            guard error.returnValue == .sessionCount, lost > 0 else { throw error }
            throw HSMError.sessionsLost(lost, error)
        }
    }

    /// Any key that signs is enough. Without published keys being logged in is, and without private keys one of the public
    /// keys, since then nothing is wrong with the rest of the token.
    private func signWithWitness() throws {
        let session = try openSession()
        let witnesses = status.witnesses(limit: Self.witnesses)
        var failure: (any Error)?
        var handles = SigningHandles()
        var isAnyShown = witnesses.isEmpty
        for key in witnesses {
            do {
                _ = try handles.sign(Self.probe, with: KeyReference(key), session, verifying: true)
                return
            } catch let error as HSMError where error.code == .keyUnavailable {
                // A token whose private key somebody has destroyed is still the one it was.
                isAnyShown = try isAnyShown || session.subjectPublicKeyInfo(ofKey: key.keyID.bytes) == key.publicKey
            } catch {
                // One key may be at fault, two are the token: a device that is slow to fail is not asked for each.
                guard failure == nil else { throw error }
                failure = error
            }
        }
        if let failure { throw failure }
        if !isAnyShown { throw HSMError.stranger(access.info) }
    }

    private static let probe = Array("privyseal probe".utf8)
}

extension HSMError {
    /// A token that holds none of the keys it should.
    static func stranger(_ token: TokenInfo) -> HSMError {
        HSMError(
            .unavailable, "the token \"\(token.label)\" (serial \(token.serialNumber)) shows none of the keys in the store",
            hint: "check that it is the token the keys were made on")
    }

    /// The token counts sessions that this process cannot use any more: initialising the module gives them back.
    fileprivate static func sessionsLost(_ count: Int, _ error: PKCS11Error) -> HSMError {
        HSMError(
            .unavailable, "the token cannot be used: \(error), and \(count) sessions were lost before",
            hint: "the agent initialises the module anew")
    }

    fileprivate static let callsUnderWay = HSMError(
        .busy, "calls into the PKCS#11 module are still under way", hint: "have the module and the HSM examined")

    fileprivate init(probing error: any Error) {
        switch error {
        case let error as HSMError: self = error
        case let error as PKCS11Error:
            self.init(
                HSMError(error).code == .pinRefused ? .pinRefused : .unavailable, "the token cannot be used: \(error)",
                hint: error.hint ?? "check the token and its module; the agent goes on trying", cause: error)
        default:
            self.init(.unavailable, "the token cannot be used: \(error)", hint: "check the token and its module", cause: error)
        }
    }
}
