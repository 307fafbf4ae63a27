import PKCS11

/// A session, and the initialisation of the module that it belongs to.
struct TokenSession: ~Copyable {
    let session: Session
    /// Of the module, when the session was opened.
    let generation: Int

    /// Gives the session up without calling the module, which closes it when it is finalised.
    consuming func abandon() {
        session.abandon()
    }

    fileprivate consuming func close() {
        // A session that cannot be closed is one that the module has lost already.
        try? session.close()
    }
}

extension TokenAccess {
    /// What came of opening a session.
    enum Opening: ~Copyable {
        case opened(TokenSession)
        case failed(PKCS11Error)
        /// The module is just being initialised anew, or finalised.
        case outOfUse
        /// The thread has been given up and must end. A session it has opened all the same is closed.
        case givenUp
    }

    /// Has the calling thread open a session; `abandonment` answers the caller that waits for it, should that never return.
    func open(
        watchedBy thread: WatchedThread, ifNever abandonment: (@Sendable () -> Void)?,
        _ opening: (TokenAccess) throws(PKCS11Error) -> Session
    ) -> Opening {
        let outcome = call(watchedBy: thread, limit: .twice, ifNever: abandonment) { () -> Opening in
            let generation = generation
            do throws(PKCS11Error) {
                return .opened(TokenSession(session: try opening(self), generation: generation))
            } catch {
                return .failed(error)
            }
        }
        switch consume outcome {
        case .done(let opening): return opening
        case .outOfUse: return .outOfUse
        case .anotherGeneration: return .outOfUse
        case .givenUp(late: let late):
            if let late { closeLate(late, thread) }
            return .givenUp
        }
    }

    private func closeLate(_ opening: consuming Opening, _ thread: WatchedThread) {
        switch consume opening {
        case .opened(let session): closeLate(session, thread)
        case .failed: break
        case .outOfUse: break
        case .givenUp: break
        }
    }

    /// Closes a session, while a caller may wait for another; `abandonment` answers it should that never return.
    ///
    /// - Returns: false when the thread has been given up meanwhile, and must end.
    func close(
        _ session: consuming TokenSession, watchedBy thread: WatchedThread, ifNever abandonment: (@Sendable () -> Void)? = nil
    ) -> Bool {
        var left: TokenSession? = session
        let outcome = call(watchedBy: thread, ifNever: abandonment) { left.take()?.close() }
        // If the module is not initialised after all, it goes on counting the session.
        if let left { abandonLost(left) }
        return switch outcome {
        case .done, .outOfUse, .anotherGeneration: true
        case .givenUp: false
        }
    }

    /// Gives back the session of a thread that had been given up: its call has returned at last, and the session is one
    /// that the token has to have again.
    func closeLate(_ session: consuming TokenSession, _ thread: WatchedThread) {
        var left: TokenSession? = session
        _ = callLate(thread) { left.take()?.close() }
        if let left { abandonLost(left) }
    }
}
