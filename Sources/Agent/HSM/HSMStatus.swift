import Platform

/// What is known of the HSM's condition, as the threads that use it report it.
final class HSMStatus: Sendable {
    struct Reading: Sendable {
        /// Sessions that are open and sign.
        var openSessions = 0
        /// Why the token cannot be used just now; `nil` while it can.
        var trouble: HSMError?
        /// Keys the token did not show, or signed wrongly with, by kid.
        var unavailableKeys: [String: HSMError] = [:]
    }

    private let state = Locked(Reading())

    var reading: Reading { state.withLock { $0 } }

    func sessionOpened() {
        state.withLock { state in
            state.openSessions += 1
            state.trouble = nil
        }
    }

    func sessionClosed() {
        state.withLock { $0.openSessions -= 1 }
    }

    /// A session could not be opened. Returns whether none is open, which is what makes the token unusable.
    func sessionMissing(_ error: HSMError) -> Bool {
        state.withLock { state in
            guard state.openSessions == 0 else { return false }
            state.trouble = error
            return true
        }
    }

    func failed(_ error: HSMError) {
        state.withLock { $0.trouble = error }
    }

    func key(_ kid: String, isUnavailable error: HSMError?) {
        state.withLock { $0.unavailableKeys[kid] = error }
    }

    /// Forgets keys that are in no ring any more.
    func forget(_ kid: String) {
        state.withLock { $0.unavailableKeys[kid] = nil }
    }
}
