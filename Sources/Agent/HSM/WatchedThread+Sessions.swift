import PKCS11

extension WatchedThread {
    /// Closes a session, while somebody may wait for another; `abandonment` answers them should that never return.
    ///
    /// - Returns: false when the thread has been given up meanwhile, and must end.
    func close(
        _ session: consuming Session, ofGeneration generation: Int, _ access: TokenAccess,
        _ abandonment: (@Sendable () -> Void)? = nil
    ) -> Bool {
        guard access.gate.enter() else {
            // If the module is not initialised after all, it goes on counting the session.
            access.abandonLost(session, ofGeneration: generation)
            return true
        }
        guard begin(abandonment) else {
            access.gate.leave()
            access.abandonLost(session, ofGeneration: generation)
            return false
        }
        // A session that cannot be closed is one that the module has lost already.
        try? session.close()
        access.gate.leave()
        return end()
    }

    /// Gives back the session of a thread that had been given up: its call has returned at last, and the session is one
    /// that the token has to have again.
    func closeLate(_ session: consuming Session, ofGeneration generation: Int, _ access: TokenAccess) {
        guard access.gate.enter() else { return access.abandonLost(session, ofGeneration: generation) }
        defer { access.gate.leave() }
        beginLate()
        try? session.close()
        _ = end()
    }
}
