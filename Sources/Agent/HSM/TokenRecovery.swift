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
    private let supervisor: ThreadSupervisor
    private let clock: AgentClock
    private let log: Logger
    private let condition: Locked<TokenCondition>
    private let wake = Signal()
    private let isClosed = Locked(false)
    /// Whether the thread looks after the token no more.
    private let isOver = Locked(false)
    /// A caller that waits for the module to be initialised anew although the token is in use, to be told whether it was.
    private typealias Renewal = CheckedContinuation<Bool, Never>

    private let renewals = Locked<[Renewal]>([])
    /// How often the module has been initialised anew since the token was last in use.
    private let initialisations = Locked(0)
    /// Seconds to wait for the calls under way before the module is finalised.
    private let drainLimit: Double
    /// Called when the token goes out of use, with why, and when it is back, with `nil`.
    private let changed: @Sendable (HSMError?) -> Void
    /// Called when the process has to end.
    private let end: @Sendable (HSMError) -> Void

    /// Published keys that are looked at to prove or to probe the token.
    private static let witnesses = 16

    init(
        access: TokenAccess, status: HSMStatus, supervisor: ThreadSupervisor, configuration: HSMConfiguration, clock: AgentClock,
        log: Logger, changed: @escaping @Sendable (HSMError?) -> Void, end: @escaping @Sendable (HSMError) -> Void
    ) {
        self.access = access
        self.status = status
        self.supervisor = supervisor
        self.clock = clock
        self.log = log
        self.changed = changed
        self.end = end
        drainLimit = configuration.callLimitSeconds
        condition = Locked(
            TokenCondition(
                longestInitialisationPause: Int64(configuration.initialisationIntervalSeconds * 1_000_000_000)))
    }

    /// A call failed in a way that may concern the whole token.
    func suspect() {
        condition.withLock { $0.suspect() }
        wake.send()
    }

    /// Has the module initialised anew, once no thread is inside it; requests wait meanwhile and none is refused. For room that
    /// only that gives back.
    ///
    /// - Returns: whether it was, and the token signs. It is not while the token is out of use or a call has not returned.
    func renew() async -> Bool {
        await withCheckedContinuation { continuation in
            let isTaken = condition.withLock { condition in
                guard !isOver.withLock({ $0 }) else { return false }
                condition.renew()
                renewals.withLock { $0.append(continuation) }
                return true
            }
            if isTaken { wake.send() } else { continuation.resume(returning: false) }
        }
    }

    /// The callers that wait for a renewal, to be told what came of it. Under the lock of the condition: none begins to wait
    /// meanwhile.
    private func takeRenewals() -> [Renewal] {
        renewals.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
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
        defer {
            let waiting = condition.withLock { _ in
                isOver.withLock { $0 = true }
                return takeRenewals()
            }
            for continuation in waiting { continuation.resume(returning: false) }
        }
        while !isClosed.withLock({ $0 }) {
            publish()
            let now = clock.monotonic()
            let stuck = supervisor.stuckCalls
            let (action, refused) = condition.withLock { condition -> (TokenCondition.Action, [Renewal]) in
                let action = condition.action(at: now, stuckCalls: stuck)
                if condition.isRenewalInSight(stuckCalls: stuck) { return (action, []) }
                condition.dropRenewal()
                return (action, takeRenewals())
            }
            for continuation in refused { continuation.resume(returning: false) }
            switch action {
            case .wait(let until):
                if let until {
                    _ = wake.wait(seconds: max(Double(until - now) / 1_000_000_000, 0.001))
                } else {
                    wake.wait()
                }
            case .probe:
                let probed = access.call(watchedBy: thread, limit: limit) { failure(of: signWithWitness) }
                guard let outcome = Outcome(probed) else { return }
                let now = clock.monotonic()
                condition.withLock { $0.probed(outcome.failure, at: now) }
            case .reinitialise:
                let renewed = access.callAlone(watchedBy: thread, limit: limit, within: drainLimit) { failure(of: reinitialise) }
                guard let outcome = Outcome(renewed) else { return }
                let now = clock.monotonic()
                let waiting = condition.withLock { condition in
                    if outcome.failure?.error.code == .busy {
                        condition.stayedBusy(at: now)
                    } else {
                        condition.reinitialised(outcome.failure, at: now)
                    }
                    return takeRenewals()
                }
                for continuation in waiting { continuation.resume(returning: outcome.failure == nil) }
            case .end(let error):
                return end(error)
            }
        }
    }

    private struct Outcome {
        let failure: TokenCondition.Failure?

        /// - Returns: `nil` when the thread has been given up meanwhile.
        init?(_ outcome: CallOutcome<TokenCondition.Failure?>) {
            switch outcome {
            case .done(let failure): self.failure = failure
            case .outOfUse, .anotherGeneration: failure = TokenCondition.Failure(error: .callsUnderWay, stage: .token)
            case .givenUp: return nil
            }
        }
    }

    /// For several calls, each of which may take its time.
    private var limit: CallLimit { .seconds(6 * drainLimit) }

    private func failure(of work: (inout TokenCondition.Failure.Stage) throws -> Void) -> TokenCondition.Failure? {
        var stage = TokenCondition.Failure.Stage.token
        do {
            try work(&stage)
            return nil
        } catch {
            return TokenCondition.Failure(error: HSMError(probing: error), stage: stage)
        }
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
            let tries = initialisations.withLock { tries in
                defer { tries = 0 }
                return tries
            }
            log.notice("the token is in use again", metadata: ["initialisations": "\(tries)"])
        }
    }

    // MARK: - Probing

    /// R3, and a probe.
    private func reinitialise(_ stage: inout TokenCondition.Failure.Stage) throws {
        let serial = access.info.serialNumber
        // A token that is away for days is said to be away once. One that is not is initialised anew because a caller wants it.
        let isFirst = initialisations.withLock { tries in
            if status.trouble != nil { tries += 1 }
            return tries <= 1
        }
        log.log(level: isFirst ? .notice : .debug, "initialising the PKCS#11 module anew")
        stage = .module
        try access.reinitialise()
        stage = .token
        try access.findAgain()
        let found = access.info
        if found.serialNumber != serial {
            log.notice(
                "the token has another serial number",
                metadata: ["token": "\(found.label)", "before": "\(serial)", "now": "\(found.serialNumber)"])
        }
        // While nothing is known to be wrong requests wait, and what fails for a moment is tried again, as at a start: a resource
        // manager may not have flushed yet what the module has just let go of.
        for _ in 1..<Self.patience where status.trouble == nil {
            do {
                return try signWithWitness(&stage)
            } catch {
                stage = .token
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
        try signWithWitness(&stage)
    }

    /// Tries to sign after an initialisation that the token was not out of use for.
    private static let patience = 5

    private func openSession() throws -> Session {
        do {
            return try access.openSession(.readOnly)
        } catch {
            let lost = access.lostSessions
            guard error.returnValue == .sessionCount, lost > 0 else { throw error }
            throw HSMError.sessionsLost(lost, error)
        }
    }

    /// Opens a session and signs with a published key. A signature that verifies by the public key in the store also proves
    /// that the token is the one the keys were made on.
    ///
    /// Any key that signs is enough. Without published keys being logged in is, and without private keys one of the public
    /// keys, since then nothing is wrong with the rest of the token.
    private func signWithWitness(_ stage: inout TokenCondition.Failure.Stage) throws {
        let session = try openSession()
        stage = .signature
        let witnesses = status.witnesses(limit: Self.witnesses)
        var failure: (any Error)?
        var handles = SigningHandles()
        var isAnyShown = witnesses.isEmpty
        for key in witnesses {
            do {
                _ = try handles.sign(Self.probe, with: KeyReference(key), session, verifying: true)
                return
            } catch let error as HSMError where error.code == .keyUnavailable {
                // A token whose private key has been destroyed is still the one it was.
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
