import KeyLifecycle
import PKCS11

/// A thread with a session of its own that signs what comes through the queue.
///
/// A failed signature is tried once more on a fresh session with the key found anew, since a token that lost its sessions or
/// its login cannot be told from one that refuses this request. No job is taken without a session to sign it with.
final class SigningWorker: Sendable {
    private let access: TokenAccess
    private let queue: BlockingQueue<SigningJob>
    private let status: HSMStatus
    private let clock: AgentClock

    /// Seconds between attempts to open a session that could not be opened.
    private static let pause = 0.5

    init(access: TokenAccess, queue: BlockingQueue<SigningJob>, status: HSMStatus, clock: AgentClock) {
        self.access = access
        self.queue = queue
        self.status = status
        self.clock = clock
    }

    private struct Attempt {
        let job: SigningJob
        var isLast = false
    }

    private enum End {
        /// The queue is closed and empty.
        case finished
        /// The session is not to be used any more; what it leaves is to be tried on another.
        case reopen(Attempt?)
    }

    /// Signs until the queue is closed and empty. Runs on a thread of its own.
    func run() {
        var carried: Attempt?
        while true {
            let session: Session
            do throws(PKCS11Error) {
                session = try access.openSession(.readOnly)
            } catch {
                giveUp(carried, error)
                carried = nil
                if queue.isFinished(within: Self.pause) { return }
                continue
            }
            switch serve(session, startingWith: carried) {
            case .finished: return
            case .reopen(let attempt): carried = attempt
            }
        }
    }

    /// Signs on one session for as long as it lasts.
    private func serve(_ session: borrowing Session, startingWith first: Attempt?) -> End {
        status.sessionOpened()
        defer { status.sessionClosed() }
        var handles = SigningHandles()
        var next = first ?? takeJob()
        while let attempt = next {
            guard clock.monotonic() < attempt.job.deadline else {
                attempt.job.completion(
                    .failure(HSMError(.deadlineExceeded, "the HSM did not get to the signature in time", hint: "try again")))
                next = takeJob()
                continue
            }
            do {
                let signature = try handles.sign(attempt.job, session)
                status.key(attempt.job.key.kid, isUnavailable: nil)
                attempt.job.completion(.success(signature))
            } catch {
                let isKeyAbsent = (error as? HSMError)?.code == .keyUnavailable
                guard attempt.isLast || (isKeyAbsent && isKnownAbsent(attempt.job.key, session)) else {
                    return .reopen(Attempt(job: attempt.job, isLast: true))
                }
                fail(attempt.job, error)
                // One missing key must not cost the others their handles.
                guard isKeyAbsent else { return .reopen(nil) }
            }
            next = takeJob()
        }
        return .finished
    }

    private func takeJob() -> Attempt? {
        queue.pop().map { Attempt(job: $0) }
    }

    /// Whether a fresh session has been tried for the key before, and this one is still logged in: a token that logged the
    /// process out shows no private key at all.
    private func isKnownAbsent(_ key: KeyReference, _ session: borrowing Session) -> Bool {
        guard status.reading.unavailableKeys[key.kid] != nil, let info = try? session.info() else { return false }
        return info.state.isUserLoggedIn
    }

    /// Without any session nothing can be signed, and nobody is kept waiting; with one left, it goes on.
    private func giveUp(_ attempt: Attempt?, _ error: PKCS11Error) {
        let failure = HSMError(error)
        if status.sessionMissing(failure) {
            for job in [attempt?.job].compactMap(\.self) + queue.takeAll() { job.completion(.failure(failure)) }
        } else if let job = attempt?.job {
            do { try queue.push(job) } catch { job.completion(.failure(failure)) }
        }
    }

    private func fail(_ job: SigningJob, _ error: any Error) {
        let failure =
            error as? HSMError
            ?? HSMError(
                .unavailable, "the token did not sign: \(error)", hint: (error as? PKCS11Error)?.hint ?? "check the token",
                cause: error)
        if failure.code == .keyUnavailable {
            status.key(job.key.kid, isUnavailable: failure)
        } else {
            status.failed(failure)
        }
        job.completion(.failure(failure))
    }
}
