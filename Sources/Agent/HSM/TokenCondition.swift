import PKCS11

/// Whether the token can be used, and what is done to find out or to bring it back: a state machine that gets times and
/// results and returns actions. Only a failed probe takes the token out of use, so that one odd request cannot stop all
/// signing.
struct TokenCondition: Sendable {
    enum State: Equatable, Sendable {
        case up
        /// D: requests fail at once; probes go on with growing pauses.
        case down(Failure)
        /// D, and not even a probe before the PIN's source has changed.
        case latched(HSMError)
    }

    /// Why a try to sign came to nothing, and how far it got.
    struct Failure: Equatable, Sendable {
        enum Stage: Equatable, Sendable {
            /// The module could not be initialised; calls into it say nothing but that until it is.
            case module
            /// The token was not found, or gave no session that is logged in: nothing of it was used.
            case token
            /// The token was logged in to and did not sign, or with none of the keys.
            case signature
        }

        let error: HSMError
        let stage: Stage
    }

    enum Action: Equatable, Sendable {
        /// Nothing before this moment, in nanoseconds of the monotonic clock; `nil` when nothing is to be done at any moment.
        case wait(until: Int64?)
        /// Sign something and see.
        case probe
        /// R3: finalise the module, initialise it, find and prove the token, then probe.
        case reinitialise
        /// The token can only be brought back by another process: a call into the module never returned.
        case end(HSMError)
    }

    private(set) var state = State.up
    private var isSuspected = false
    /// Whether the module is to be initialised anew although the token is in use.
    private var isRenewalWanted = false
    private var failedProbes = 0
    /// Suspicions in a row whose probe got no session to find out with.
    private var undecidedProbes = 0
    private var nextProbe: Int64 = 0
    /// When an initialisation last got through to the token.
    private var lastArrival: Int64?
    /// How often in a row an initialisation that got through to the token was soon followed by the next.
    private var relapses = 0
    private var initialisationNotBefore = Int64.min
    private let longestInitialisationPause: Int64

    /// Nanoseconds after the first failed probe; doubled by each further one.
    static let shortestPause: Int64 = 100_000_000
    static let longestPause: Int64 = 2_000_000_000
    /// Nanoseconds after an initialisation that got through to the token before another; doubled each time that one is needed
    /// again soon.
    static let shortestInitialisationPause: Int64 = 1_000_000_000
    /// Suspicions in a row that may go undecided because the token has no session left for a probe.
    static let toleratedShortages = 3

    /// - Parameter longestInitialisationPause: nanoseconds to which the pause grows between initialisations that get through
    ///   to the token and do not help for long. One that does not get through is tried again at the pace of probes.
    init(longestInitialisationPause: Int64) {
        self.longestInitialisationPause = longestInitialisationPause
    }

    /// Why the token is out of use; `nil` while it is in use.
    var trouble: HSMError? {
        switch state {
        case .up: nil
        case .down(let failure): failure.error
        case .latched(let error): error
        }
    }

    /// A call failed in a way that says something of the token as a whole.
    mutating func suspect() {
        isSuspected = true
    }

    /// Initialising the module anew may help with something that the token is not out of use for.
    mutating func renew() {
        isRenewalWanted = true
    }

    /// Whether that will be done, if the token stays in use.
    func isRenewalInSight(stuckCalls: Int) -> Bool {
        state == .up && isRenewalWanted && stuckCalls == 0
    }

    /// It is not to be done after all.
    mutating func dropRenewal() {
        isRenewalWanted = false
    }

    /// The token refused the PIN.
    mutating func latch(_ error: HSMError) {
        state = .latched(error)
        isSuspected = false
    }

    /// The PIN may be another now.
    mutating func unlatch() {
        guard case .latched(let error) = state else { return }
        // A refusal is the answer to a login: the module is initialised.
        state = .down(Failure(error: error, stage: .token))
        failedProbes = 0
        isSuspected = true
    }

    /// - Parameter stuckCalls: calls into the module that have not returned in their time. The module must not be finalised
    ///   under them.
    func action(at now: Int64, stuckCalls: Int) -> Action {
        switch state {
        case .latched:
            return .wait(until: nil)
        case .up where isSuspected:
            return now < nextProbe ? .wait(until: nextProbe) : .probe
        case .up:
            guard isRenewalInSight(stuckCalls: stuckCalls) else { return .wait(until: nil) }
            return now < nextInitialisation ? .wait(until: nextInitialisation) : .reinitialise
        // Suspected once more: another PIN is there, and nothing says that the module is at fault.
        case .down where isSuspected && failedProbes == 0:
            return .probe
        case .down(let failure):
            guard failure.stage == .module || failure.error.mayEndByInitialising else {
                return now < nextProbe ? .wait(until: nextProbe) : .probe
            }
            let next = nextInitialisation
            if now >= next { return stuckCalls == 0 ? .reinitialise : .end(.stuck(failure.error)) }
            if failure.stage == .module { return .wait(until: next) }
            return now < nextProbe ? .wait(until: min(nextProbe, next)) : .probe
        }
    }

    /// - Parameter failure: `nil` when the token signed.
    mutating func probed(_ failure: Failure?, at now: Int64) {
        isSuspected = false
        guard let failure else {
            state = .up
            failedProbes = 0
            undecidedProbes = 0
            // The next suspicion waits a moment: one odd key must not keep a token busy with probes.
            nextProbe = now + Self.shortestPause
            return
        }
        if failure.error.code == .pinRefused { return latch(failure.error) }
        if state == .up, failure.error.isSessionShortage, undecidedProbes < Self.toleratedShortages {
            // The sessions may all be the agent's own, and at work.
            undecidedProbes += 1
            nextProbe = now + Self.shortestPause
            return
        }
        // A token that is out of reach has not misbehaved since it was last reached: it was away.
        if failure.stage != .signature { relapses = 0 }
        state = .down(failure)
        nextProbe = now + min(Self.shortestPause << min(failedProbes, 10), Self.longestPause)
        failedProbes += 1
    }

    /// Calls were under way, and the module could not be initialised under them: that is tried again.
    mutating func stayedBusy(at now: Int64) {
        isRenewalWanted = false
        initialisationNotBefore = now + Self.longestPause
    }

    /// - Parameter failure: `nil` when the token was found again and signed.
    mutating func reinitialised(_ failure: Failure?, at now: Int64) {
        let isPlanned = state == .up
        isRenewalWanted = false
        if failure == nil || failure?.stage == .signature {
            // Nobody has to wait long for a token that worked meanwhile.
            if !isPlanned { relapses = lastArrival.map { now - $0 < 2 * initialisationPause } == true ? relapses + 1 : 0 }
            lastArrival = now
        }
        probed(failure, at: now)
        // Each initialisation is a probe as well.
        if failure != nil { initialisationNotBefore = nextProbe }
    }

    private var initialisationPause: Int64 {
        min(Self.shortestInitialisationPause << min(relapses, 12), longestInitialisationPause)
    }

    private var nextInitialisation: Int64 {
        max(lastArrival.map { $0 + initialisationPause } ?? .min, initialisationNotBefore)
    }
}

extension HSMError {
    fileprivate var mayEndByInitialising: Bool {
        (cause as? PKCS11Error)?.returnValue?.mayEndByInitialising ?? true
    }

    fileprivate var isSessionShortage: Bool {
        (cause as? PKCS11Error)?.returnValue == .sessionCount
    }

    /// The process has to end, for its supervisor to start another.
    static func stuck(_ error: HSMError) -> HSMError {
        HSMError(
            .stuck, "\(error.message), and a call into the PKCS#11 module has not returned",
            hint: "the agent ends so that its supervisor starts it anew; have the module and the HSM examined", cause: error)
    }
}
