import Foundation
import JOSE
import KeyLifecycle
import PKCS11

/// A thread with a session of its own that signs what comes through the queue.
///
/// A failed signature costs the session: it is tried once more on a fresh one with the key found anew, since a token that
/// lost its sessions or its login cannot be told from one that refuses this request.
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

    /// Signs until the queue is closed and empty. Runs on a thread of its own.
    func run() {
        var next = takeJob()
        while let attempt = next {
            next = serve(startingWith: attempt)
        }
    }

    private struct Attempt {
        let job: SigningJob
        var isLast = false
    }

    private func takeJob() -> Attempt? {
        queue.pop().map { Attempt(job: $0) }
    }

    /// Signs on one session for as long as it lasts.
    ///
    /// - Returns: what to go on with on a fresh session; `nil` when there is no more.
    private func serve(startingWith first: Attempt) -> Attempt? {
        let session: Session
        do throws(PKCS11Error) {
            session = try access.openSession(.readOnly)
        } catch {
            let failure = HSMError(
                .unavailable, "no session with the token: \(error)", hint: error.hint ?? "check the token", cause: error)
            status.failed(failure)
            first.job.completion(.failure(failure))
            Thread.sleep(forTimeInterval: Self.pause)
            return takeJob()
        }
        status.sessionOpened()
        defer { status.sessionClosed() }
        var handles = SigningHandles()
        var next: Attempt? = first
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
                next = takeJob()
            } catch {
                guard attempt.isLast else { return Attempt(job: attempt.job, isLast: true) }
                fail(attempt.job, error)
                return takeJob()
            }
        }
        return nil
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
