import Foundation
import KeyLifecycle
import PKCS11

/// A thread with a session of its own that signs what the crew of such threads is given.
///
/// What is tried again, and when it ends, is `SigningAttempt`'s decision. No request is taken without a session to sign it
/// with, and none while the token is out of use.
final class SigningWorker: Sendable {
    private let access: TokenAccess
    private let crew: Crew<SigningAttempt>
    private let status: HSMStatus
    private let recovery: TokenRecovery
    private let calls: WatchedThread
    private let clock: AgentClock

    /// Seconds between attempts to open a session that could not be opened.
    private static let pause = 0.5
    /// The same while the token has none left and no worker signs, or requests wait for one.
    private static let shortPause = 0.05

    init(
        access: TokenAccess, crew: Crew<SigningAttempt>, status: HSMStatus, recovery: TokenRecovery,
        calls: WatchedThread, clock: AgentClock
    ) {
        self.access = access
        self.crew = crew
        self.status = status
        self.recovery = recovery
        self.calls = calls
        self.clock = clock
    }

    private enum End {
        /// The queue is closed and empty.
        case finished
        /// The thread has been given up, and its call has returned at last: what it worked for has been answered.
        case givenUp
        /// The session is not to be used any more; what it leaves is to be tried on another.
        case reopen(SigningAttempt?, isLost: Bool)
    }

    /// Signs until the queue is closed and empty. Runs on a thread of its own.
    func run() {
        var carried: SigningAttempt?
        while true {
            // Before the trouble is looked at: an interruption that comes with one must not be taken for seen.
            let interruptions = crew.interruptions
            if let trouble = status.trouble {
                refuse(carried, trouble)
                carried = nil
                crew.pauses.pause(Self.pause)
                if crew.isClosed { return refuse(nil, trouble) }
                continue
            }
            let opening = access.open(watchedBy: calls, ifNever: abandonment(carried)) { access throws(PKCS11Error) in
                try access.openSession(.readOnly)
            }
            switch consume opening {
            case .outOfUse:
                crew.pauses.pause(Self.shortPause)
                if crew.isClosed { return refuse(carried, .closing) }
            case .givenUp: return
            case .failed(let error):
                crew.pauses.pause(sessionMissing(error, &carried))
                if crew.isClosed { return refuse(carried, HSMError(noSession: error)) }
            case .opened(let session):
                switch serve(session, interruptions, startingWith: carried) {
                case .finished:
                    _ = access.close(session, watchedBy: calls)
                    return
                case .givenUp:
                    return access.closeLate(session, calls)
                case .reopen(let attempt, isLost: true):
                    carried = attempt
                    access.abandonLost(session)
                case .reopen(let attempt, isLost: false):
                    carried = attempt
                    guard access.close(session, watchedBy: calls, ifNever: abandonment(attempt)) else { return }
                }
            }
        }
    }

    /// Signs on one session for as long as it lasts.
    ///
    /// - Parameter interruptions: those there had been of the queue when the session was opened. One more means that the
    ///   token has gone out of use; then idle sessions are given back, which a token with few of them needs for the probe.
    private func serve(
        _ session: borrowing TokenSession, _ interruptions: Interruptions, startingWith first: SigningAttempt?
    ) -> End {
        status.sessionOpened(by: calls)
        defer { status.sessionClosed(by: calls) }
        var handles = SigningHandles(access.knownHandles, generation: session.generation)
        var seen = interruptions
        // Whatever becomes of this session, what it has signed is handed over.
        var finished = FinishedJobs()
        defer { finished.end() }
        var next = first.map { Next.attempt($0) } ?? takeJob(&seen, &finished)
        while true {
            guard case .attempt(let taken) = next else { return .reopen(nil, isLost: access.generation != session.generation) }
            guard var attempt = taken else { return .finished }
            var began = clock.monotonic()
            if finished.mustEnd(before: attempt, at: began, isFound: handles.hasFound) {
                handOver(&finished)
                began = clock.monotonic()
            }
            guard status.trouble == nil else { return .reopen(attempt, isLost: access.generation != session.generation) }
            let outcome = access.call(
                ofGeneration: session.generation, watchedBy: calls, ifNever: abandonment(attempt, finished)
            ) { () -> Tried in
                guard began < attempt.deadline else { return .late }
                return attempt.job.maySign(at: began) ? sign(&attempt, &handles, session.session) : .unconfirmed
            }
            switch outcome {
            case .outOfUse: return .reopen(attempt, isLost: access.generation != session.generation)
            case .anotherGeneration: return .reopen(attempt, isLost: true)
            case .givenUp(late: nil): return .givenUp
            case .givenUp:
                // They were handed over when the thread was given up.
                finished.removeAll()
                return .givenUp
            case .done(.late):
                attempt.job.end(.failure(.late))
                next = takeJob(&seen, &finished)
            case .done(.unconfirmed):
                attempt.job.end(.failure(.unconfirmed))
                next = takeJob(&seen, &finished)
            case .done(.signed(let signed)):
                if attempt.isTrial { status.putInUse(attempt.job.key.kid) }
                finished.append(attempt.job, signed, begunAt: began)
                next = takeJob(&seen, &finished)
            case .done(.failed(let error, let step)):
                handOver(&finished)
                note(error, step)
                switch step {
                case .again(let milliseconds):
                    Thread.sleep(forTimeInterval: Double(milliseconds) / 1_000)
                    next = .attempt(attempt)
                case .logIn: next = .attempt(attempt)
                case .freshSession(let isLost): return .reopen(attempt, isLost: isLost)
                case .awaitSession: return .reopen(attempt, isLost: false)
                case .fail(let failure):
                    fail(attempt, failure)
                    next = takeJob(&seen, &finished)
                }
            }
        }
    }

    private enum Tried {
        case signed(SignedInput)
        case failed(any Error, SigningAttempt.Step)
        /// The request waited longer than it may: nothing was called for it.
        case late
        /// The store has not confirmed the key for too long: nothing was called for it.
        case unconfirmed
    }

    /// Inside the module.
    private func sign(
        _ attempt: inout SigningAttempt, _ handles: inout SigningHandles, _ session: borrowing Session
    ) -> Tried {
        do {
            return .signed(try signed(attempt, &handles, session))
        } catch {
            var step = attempt.next(after: error) { (try? session.info())?.state.isUserLoggedIn == true }
            if step == .logIn { logIn(session, &attempt, &step) }
            return .failed(error, step)
        }
    }

    private func signed(
        _ attempt: SigningAttempt, _ handles: inout SigningHandles, _ session: borrowing Session
    ) throws -> SignedInput {
        let input = attempt.job.signingInput()
        let signature = try handles.sign(input, with: attempt.job.key, session, verifying: attempt.isTrial)
        return SignedInput(input: input, signature: signature)
    }

    /// R2. A login that fails is judged as the call that wanted it.
    private func logIn(_ session: borrowing Session, _ attempt: inout SigningAttempt, _ step: inout SigningAttempt.Step) {
        do throws(PKCS11Error) {
            try access.logIn(session)
        } catch {
            step = attempt.next(after: error) { false }
        }
    }

    private enum Next {
        /// `nil` once the queue is closed and empty.
        case attempt(SigningAttempt?)
        case interrupted
    }

    /// The next request whose key may be used. What is finished is handed over before there is any waiting.
    private func takeJob(_ seen: inout Interruptions, _ finished: inout FinishedJobs) -> Next {
        while true {
            switch crew.next(&seen, beforeWaiting: { handOver(&finished) }) {
            case .closed: return .attempt(nil)
            case .interrupted: return .interrupted
            case .element(var attempt):
                switch status.admit(attempt.job.key.kid) {
                case .admitted: return .attempt(attempt)
                case .trial:
                    attempt.isTrial = true
                    return .attempt(attempt)
                case .refused(let error):
                    handOver(&finished)
                    if attempt.job.isKeyCertain, status.takeDoubt(of: attempt.job.key.kid) { recovery.suspect() }
                    attempt.job.end(.failure(error))
                }
            }
        }
    }

    private func handOver(_ finished: inout FinishedJobs) {
        finished.end()
        finished.removeAll()
    }

    /// A session could not be opened.
    ///
    /// - Returns: for how many seconds to pause before the next try.
    private func sessionMissing(_ error: PKCS11Error, _ carried: inout SigningAttempt?) -> Double {
        status.noteDisturbance(HSMError(error))
        guard Reaction(to: error) == .awaitSession else {
            if let attempt = carried { fail(attempt, SigningAttempt.Failure(error: HSMError(signing: error))) }
            carried = nil
            recovery.suspect()
            return Self.pause
        }
        // Then they may be free again once the module is initialised.
        if access.lostSessions > 0 { recovery.suspect() }
        // The other workers go on with the sessions there are.
        if status.openSessions > 0 {
            if let attempt = carried { pass(attempt) }
            carried = nil
            return Self.pause
        }
        if let attempt = carried, clock.monotonic() >= attempt.deadline {
            attempt.job.end(.failure(HSMError(noSession: error)))
            carried = nil
        }
        return Self.shortPause
    }

    /// Leaves a request to the other workers.
    private func pass(_ attempt: SigningAttempt) {
        do {
            let job = attempt.job
            try crew.push(SigningAttempt(job: job, deadline: attempt.deadline), of: job.uid)?.job.end(.failure(.displaced))
        } catch {
            attempt.job.end(.failure(.noSessionLeft))
        }
    }

    private func fail(_ attempt: SigningAttempt, _ failure: SigningAttempt.Failure) {
        switch failure.consequence {
        case .none: break
        case .probe: recovery.suspect()
        case .keyOutOfUse: status.takeOutOfUse(attempt.job.key.kid, failure.error)
        case .keyAbsent:
            let (kid, isCertain) = (attempt.job.key.kid, attempt.job.isKeyCertain)
            // Of a key that has been missing for long, enough is known.
            let isNews = !attempt.isTrial || status.takeDoubt(of: kid)
            status.takeOutOfUse(kid, failure.error, doubtingToken: isNews && !isCertain)
            if isNews, isCertain { recovery.suspect() }
        case .shedLoad:
            for waiting in crew.takeAll() { waiting.job.end(.failure(failure.error)) }
        }
        attempt.job.end(.failure(failure.error))
    }

    private func refuse(_ attempt: SigningAttempt?, _ trouble: HSMError) {
        attempt?.job.end(.failure(trouble))
        for waiting in crew.takeAll() { waiting.job.end(.failure(trouble)) }
    }

    /// What went wrong is shown by health also where trying again helps; a missing key is shown as such.
    private func note(_ error: any Error, _ step: SigningAttempt.Step) {
        if case .freshSession(_, then: .keyUnavailable) = Reaction(to: error) { return }
        status.noteDisturbance(HSMError(signing: error))
    }

    /// What is done when a call never returns: its request is answered, and so is what was signed before.
    private func abandonment(_ attempt: SigningAttempt?, _ finished: FinishedJobs = FinishedJobs()) -> @Sendable () -> Void {
        { [job = attempt?.job] in
            finished.end()
            job?.end(.failure(.unanswered))
        }
    }
}

extension HSMError {
    /// The request waited longer than it may.
    static let late = HSMError(.deadlineExceeded, "the HSM did not get to the signature in time", hint: "try again")

    fileprivate static let closing = HSMError(.shuttingDown, "the agent is shutting down", hint: "try again after its restart")

    /// What the agent goes by has not been confirmed by the store for too long, or another agent has replaced the key.
    static let unconfirmed = HSMError(
        .unconfirmed, "the store has not confirmed for too long that the key may be used",
        hint: "try again, or another agent; privyseal health says what is wrong")

    /// The call for the request has not returned in its time.
    static let unanswered = HSMError(
        .deadlineExceeded, "the HSM has not answered in time", hint: "try again; have the HSM examined if it goes on")

    /// The queue is full, and the caller's are the most that wait in it.
    static let displaced = HSMError(
        .busy, "the queue is full, and most of it is this caller's", hint: "try again in a moment, with fewer at once")

    static let noSessionLeft = HSMError(
        .busy, "the token has no session left for this request", hint: "try again in a moment, or configure fewer sessions")

    /// No session could be opened: `.busy` when the token has none left.
    init(noSession error: PKCS11Error) {
        let code = Reaction(to: error) == .awaitSession ? Code.busy : HSMError(error).code
        self.init(code, "no session with the token: \(error)", hint: error.hint ?? "try again in a moment", cause: error)
    }
}
