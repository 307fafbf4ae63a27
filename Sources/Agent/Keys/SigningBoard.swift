import KeyLifecycle
import Platform

/// The signing state of every issuer, read by each sign request and replaced by committed changes.
///
/// Taking a key and replacing it happen under one lock, so that once a replacement is in place no request takes the old key
/// any more, and `InFlightCounter.drained()` tells when the last one has ended.
final class SigningBoard: Sendable {
    private struct Entry {
        var state: SigningState
        /// What every request gets instead of a signature.
        var refusal: SigningRefusal?
        /// Requests that have to wait until the issuer is thawed.
        var waiting: [@Sendable () -> Void] = []
    }

    private let entries = Locked<[String: Entry]>([:])

    /// Takes the issuer's key for one signature, which must be ended with `key.use.end()`.
    ///
    /// - Throws: that there is no such issuer, or what the issuer refuses signatures with.
    func begin(_ issuer: String) throws(SigningRefusal) -> SigningState {
        let found: Result<SigningState, SigningRefusal> = entries.withLock { entries in
            guard let entry = entries[issuer] else { return .failure(.issuer(.issuerNotFound(issuer))) }
            if let refusal = entry.refusal { return .failure(refusal) }
            entry.state.key.use.begin()
            return .success(entry.state)
        }
        return try found.get()
    }

    /// Puts a state in place, or with `nil` takes the issuer off the board. Thaws the issuer.
    ///
    /// - Parameter refusal: what requests get instead of a signature, if they get none.
    /// - Returns: the key it replaces, when that is another one.
    @discardableResult
    func install(
        _ state: SigningState?, refusing refusal: SigningRefusal? = nil, for issuer: String
    ) -> KeyReference? {
        let (former, waiting) = entries.withLock { entries -> (KeyReference?, [@Sendable () -> Void]) in
            let before = entries[issuer]
            entries[issuer] = state.map { Entry(state: $0, refusal: refusal) }
            let former = before?.state.key
            return (former === state?.key ? nil : former, before?.waiting ?? [])
        }
        for resume in waiting { resume() }
        return former
    }

    /// From now on requests for the issuer get this instead of a signature; with `nil`, signatures.
    func setRefusal(_ refusal: SigningRefusal?, for issuer: String) {
        entries.withLock { $0[issuer]?.refusal = refusal }
    }

    /// Freezes the dates of an issuer's JWTs and returns the moment they are frozen at.
    ///
    /// A request reads the clock before it takes its key, so one that was not held by the freeze is not dated after it.
    func freeze(_ issuer: String, clock: AgentClock) -> Timestamp {
        entries.withLock { entries in
            let moment = clock.wall()
            entries[issuer]?.state.datedAtMost = moment
            return moment
        }
    }

    /// Ends a freeze whose change did not come about.
    func thaw(_ issuer: String) {
        let waiting = entries.withLock { entries -> [@Sendable () -> Void] in
            entries[issuer]?.state.datedAtMost = nil
            defer { entries[issuer]?.waiting = [] }
            return entries[issuer]?.waiting ?? []
        }
        for resume in waiting { resume() }
    }

    /// Calls `resume` once the issuer is not frozen, which may be at once.
    func whenThawed(_ issuer: String, _ resume: @escaping @Sendable () -> Void) {
        let isFrozen = entries.withLock { entries in
            guard entries[issuer]?.state.datedAtMost != nil else { return false }
            entries[issuer]?.waiting.append(resume)
            return true
        }
        if !isFrozen { resume() }
    }
}

/// What a sign request needs of its issuer: an immutable value, replaced as a whole when the issuer changes.
struct SigningState: Sendable {
    let key: KeyReference
    let policy: ClaimsPolicy
    /// While a rotation is being committed, JWTs are dated no later than this: the end of the outgoing key is already
    /// decided, and no JWT may outlive it.
    var datedAtMost: Timestamp?
}

/// Why an issuer signs nothing.
enum SigningRefusal: Error {
    case issuer(LifecycleError)
    case hsm(HSMError)
}
