import KeyLifecycle

/// Signatures that a worker has made and not handed over yet.
///
/// Recording a signature costs a system call, and so does writing to a connection: several can share them. One that was
/// made quickly waits for the next ones that will be as quick, if they are begun soon enough. A slow token's are handed over
/// as they come.
struct FinishedJobs: Sendable {
    private var finished: [(job: any SigningJob, signed: SignedInput)] = []
    /// When the first of them was begun, in nanoseconds of the monotonic clock.
    private var began: Int64 = 0

    /// Nanoseconds from the beginning of the first signature within which another may begin before it is handed over.
    static let patience: Int64 = 250_000
    static let most = 4

    mutating func append(_ job: any SigningJob, _ signed: SignedInput, begunAt began: Int64) {
        if finished.isEmpty { self.began = began }
        finished.append((job, signed))
    }

    /// Whether there is any that must not wait for this signature, which would begin now.
    ///
    /// A trial may take any time, a key of another algorithm or length another one, and a key that the session has not used
    /// may have to be searched for.
    /// - Parameter isFound: whether the session has used this key; asked of another key than the last.
    func mustEnd(before attempt: SigningAttempt, at now: Int64, isFound: (KeyReference) -> Bool) -> Bool {
        guard let last = finished.last?.job.key else { return false }
        if finished.count >= Self.most || now - began >= Self.patience || attempt.isTrial { return true }
        let key = attempt.job.key
        if key === last { return false }
        // How long an RSA key is, its algorithm does not say.
        return key.algorithm != last.algorithm || key.algorithm.isRSA || !isFound(key)
    }

    /// Hands all of them over, which is to be done once.
    func end() {
        guard let first = finished.first else { return }
        guard finished.count > 1 else { return first.job.end(.success(first.signed)) }
        first.job.endTogether {
            for (job, signed) in finished { job.end(.success(signed)) }
        }
    }

    mutating func removeAll() {
        finished.removeAll(keepingCapacity: true)
    }
}
