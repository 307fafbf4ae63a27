import KeyLifecycle
import Platform
import Synchronization

/// What is known of the HSM's condition, as the threads that use it report it.
final class HSMStatus: Sendable {
    struct Reading: Sendable {
        /// Sessions that are open and sign.
        var openSessions = 0
        /// Why the token cannot be used just now; `nil` while it can.
        var trouble: HSMError?
        /// Keys that cannot be used, by kid.
        var unavailableKeys: [String: HSMError] = [:]
        /// What went wrong lately without taking the token or a key out of use, and what may go wrong soon, by its message.
        var disturbances: [String: HSMError] = [:]
        /// Calls into the module that have not returned in their time.
        var stuckCalls = 0
    }

    private struct State {
        var sessions: Set<ObjectIdentifier> = []
        var trouble: HSMError?
        var outOfUse: [String: OutOfUse] = [:]
        var disturbances: [String: (error: HSMError, at: Int64)] = [:]
        var stuckCalls = 0
        /// Why the token may soon have no room for a key.
        var shortage: HSMError?
        var published: [String: [SigningKey]] = [:]
        var publishedKids: Set<String> = []
    }

    private struct OutOfUse {
        let error: HSMError
        /// When a request may find out whether the key is still out of use.
        var nextTrial: Int64
        /// Whether the token is still to be asked whether it shows any key: the store is asked first.
        var isTokenInDoubt = false
    }

    private let state = Locked(State())
    private let clock: AgentClock
    /// Whether any key is out of use, so that a signature need not take the lock to learn that none is.
    private let hasKeysOutOfUse = Atomic(false)
    /// Whether the token is out of use; as above.
    private let isOutOfUse = Atomic(false)

    /// Nanoseconds between trials of a key that is out of use.
    static let trialInterval: Int64 = 1_000_000_000
    /// Nanoseconds for which a disturbance is shown after it was last seen.
    static let disturbanceTime: Int64 = 10_000_000_000

    init(clock: AgentClock) {
        self.clock = clock
    }

    var reading: Reading {
        let now = clock.monotonic()
        return state.withLock { state in
            state.disturbances = state.disturbances.filter { now - $0.value.at < Self.disturbanceTime }
            var disturbances = state.disturbances.mapValues(\.error)
            if let shortage = state.shortage { disturbances[shortage.message] = shortage }
            return Reading(
                openSessions: state.sessions.count, trouble: state.trouble,
                unavailableKeys: state.outOfUse.mapValues(\.error), disturbances: disturbances,
                stuckCalls: state.stuckCalls)
        }
    }

    // MARK: - The token

    /// Why the token cannot be used just now; costs next to nothing while it can.
    var trouble: HSMError? {
        guard isOutOfUse.load(ordering: .acquiring) else { return nil }
        return state.withLock { $0.trouble }
    }

    func setTrouble(_ error: HSMError?) {
        state.withLock { state in
            state.trouble = error
            isOutOfUse.store(error != nil, ordering: .releasing)
        }
    }

    /// A thread has a session to sign with.
    func sessionOpened(by thread: WatchedThread) {
        state.withLock { _ = $0.sessions.insert(ObjectIdentifier(thread)) }
    }

    /// A thread's session is closed, or its call never returned; a second time does nothing.
    func sessionClosed(by thread: WatchedThread) {
        state.withLock { _ = $0.sessions.remove(ObjectIdentifier(thread)) }
    }

    var openSessions: Int { state.withLock { $0.sessions.count } }

    /// Something went wrong that health shows for a while.
    func noteDisturbance(_ error: HSMError) {
        let now = clock.monotonic()
        state.withLock { $0.disturbances[error.message] = (error, now) }
    }

    /// Why the token may soon have no room for a key; `nil` when it has.
    ///
    /// - Returns: whether that is another answer than before.
    func setShortage(_ error: HSMError?) -> Bool {
        state.withLock { state in
            defer { state.shortage = error }
            return (state.shortage == nil) != (error == nil)
        }
    }

    func setStuckCalls(_ count: Int) {
        state.withLock { $0.stuckCalls = count }
    }

    // MARK: - Keys

    enum Admission {
        case admitted
        /// The key is out of use, and this request finds out whether it still is.
        case trial
        case refused(HSMError)
    }

    /// Whether a signature with the key may be tried now.
    func admit(_ kid: String) -> Admission {
        guard hasKeysOutOfUse.load(ordering: .acquiring) else { return .admitted }
        let now = clock.monotonic()
        return state.withLock { state in
            guard let outOfUse = state.outOfUse[kid] else { return .admitted }
            guard now >= outOfUse.nextTrial else { return .refused(outOfUse.error) }
            state.outOfUse[kid]?.nextTrial = now + Self.trialInterval
            return .trial
        }
    }

    /// A key that is in no ring any more is not kept in mind.
    ///
    /// - Parameter isTokenInDoubt: whether the token is to be asked about it once the store has been.
    func takeOutOfUse(_ kid: String, _ error: HSMError, doubtingToken isTokenInDoubt: Bool = false) {
        let now = clock.monotonic()
        changeKeysOutOfUse { state in
            guard state.publishedKids.contains(kid) else { return }
            state.outOfUse[kid] = OutOfUse(
                error: error, nextTrial: now + Self.trialInterval, isTokenInDoubt: isTokenInDoubt)
        }
    }

    /// Whether the token is still to be asked about a key that is out of use. It is said once.
    func takeDoubt(of kid: String) -> Bool {
        state.withLock { state in
            defer { state.outOfUse[kid]?.isTokenInDoubt = false }
            return state.outOfUse[kid]?.isTokenInDoubt == true
        }
    }

    /// A trial succeeded.
    func putInUse(_ kid: String) {
        changeKeysOutOfUse { $0.outOfUse[kid] = nil }
    }

    /// The flag follows the dictionary under one lock, or it could say that no key is out of use while one is.
    private func changeKeysOutOfUse(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            hasKeysOutOfUse.store(!state.outOfUse.isEmpty, ordering: .releasing)
        }
    }

    // MARK: - Witnesses

    /// Notes which keys an issuer publishes: those the token is proven and probed by.
    func notePublished(_ keys: [SigningKey], of issuer: String) {
        changeKeysOutOfUse { state in
            for key in state.published[issuer] ?? [] { state.publishedKids.remove(key.kid) }
            state.published[issuer] = keys.isEmpty ? nil : keys
            for key in keys { state.publishedKids.insert(key.kid) }
            guard !state.outOfUse.isEmpty else { return }
            let published = state.publishedKids
            state.outOfUse = state.outOfUse.filter { published.contains($0.key) }
        }
    }

    /// Some published keys, active ones first; another choice each time.
    func witnesses(limit: Int) -> [SigningKey] {
        let published = state.withLock { $0.published }
        var keys: [SigningKey] = []
        for issuer in published.values.shuffled().prefix(limit) { keys += issuer }
        return Array((keys.filter { $0.state == .active } + keys.filter { $0.state != .active }).prefix(limit))
    }
}
