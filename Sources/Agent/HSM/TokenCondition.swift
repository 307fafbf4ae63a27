import PKCS11

/// Whether the token can be used, and what is done to find out or to bring it back: a state machine that gets times and
/// results and returns actions. Only a failed probe takes the token out of use, so that one odd request cannot stop all
/// signing.
struct TokenCondition: Sendable {
    enum State: Equatable, Sendable {
        case up
        /// D: requests fail at once; probes go on with growing pauses.
        case down(HSMError)
        /// D, and not even a probe before the PIN's source has changed.
        case latched(HSMError)
    }

    enum Action: Equatable, Sendable {
        /// Nothing before this moment, in nanoseconds of the monotonic clock; `nil` when nothing is in sight.
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
    private var failedProbes = 0
    /// Suspicions in a row whose probe got no session to find out with.
    private var undecidedProbes = 0
    private var nextProbe: Int64 = 0
    private var lastInitialisation: Int64?
    private var initialisationNotBefore = Int64.min
    private let initialisationInterval: Int64

    /// Nanoseconds after the first failed probe; doubled by each further one.
    static let shortestPause: Int64 = 100_000_000
    static let longestPause: Int64 = 2_000_000_000
    /// Suspicions in a row that may go undecided because the token has no session left for a probe.
    static let toleratedShortages = 3

    /// - Parameter initialisationInterval: nanoseconds between two initialisations of the module at least.
    init(initialisationInterval: Int64) {
        self.initialisationInterval = initialisationInterval
    }

    /// Why the token is out of use; `nil` while it is in use.
    var trouble: HSMError? {
        switch state {
        case .up: nil
        case .down(let error), .latched(let error): error
        }
    }

    /// A call failed in a way that says something of the token as a whole.
    mutating func suspect() {
        isSuspected = true
    }

    /// The token refused the PIN.
    mutating func latch(_ error: HSMError) {
        state = .latched(error)
        isSuspected = false
    }

    /// The PIN may be another now.
    mutating func unlatch() {
        guard case .latched(let error) = state else { return }
        state = .down(error)
        failedProbes = 0
        isSuspected = true
    }

    /// - Parameter stuckCalls: calls into the module that have not returned in their time. The module must not be finalised
    ///   under them.
    func action(at now: Int64, stuckCalls: Int) -> Action {
        switch state {
        case .latched:
            return .wait(until: nil)
        case .up:
            guard isSuspected else { return .wait(until: nil) }
            return now < nextProbe ? .wait(until: nextProbe) : .probe
        // Suspected once more: another PIN is there, and nothing says that the module is at fault.
        case .down where isSuspected && failedProbes == 0:
            return .probe
        case .down(let error):
            if error.mayEndByInitialising {
                if mayInitialise(at: now) { return stuckCalls == 0 ? .reinitialise : .end(.stuck(error)) }
                if now < nextProbe { return .wait(until: min(nextProbe, nextInitialisation)) }
            }
            return now < nextProbe ? .wait(until: nextProbe) : .probe
        }
    }

    /// - Parameter failure: `nil` when the token signed.
    mutating func probed(_ failure: HSMError?, at now: Int64) {
        isSuspected = false
        guard let failure else {
            state = .up
            failedProbes = 0
            undecidedProbes = 0
            // The next suspicion waits a moment: one odd key must not keep a token busy with probes.
            nextProbe = now + Self.shortestPause
            return
        }
        if failure.code == .pinRefused { return latch(failure) }
        if state == .up, failure.isSessionShortage, undecidedProbes < Self.toleratedShortages {
            // The sessions may all be the agent's own, and at work.
            undecidedProbes += 1
            nextProbe = now + Self.shortestPause
            return
        }
        state = .down(failure)
        nextProbe = now + min(Self.shortestPause << min(failedProbes, 10), Self.longestPause)
        failedProbes += 1
    }

    /// Calls were under way, and the module could not be initialised under them: that is tried again.
    mutating func stayedBusy(at now: Int64) {
        initialisationNotBefore = now + Self.longestPause
    }

    /// - Parameter failure: `nil` when the token was found again and signed.
    mutating func reinitialised(_ failure: HSMError?, at now: Int64) {
        lastInitialisation = now
        probed(failure, at: now)
    }

    private var nextInitialisation: Int64 {
        max(lastInitialisation.map { $0 + initialisationInterval } ?? .min, initialisationNotBefore)
    }

    private func mayInitialise(at now: Int64) -> Bool {
        now >= nextInitialisation
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
