/// Signatures that a worker has made and not handed over yet.
///
/// Recording a signature and waking whoever writes its reply cost a system call each, which several can share. One that was
/// made quickly waits for the next few that are; a slow token's are handed over as they come.
struct FinishedJobs: Sendable {
    private var finished: [(job: any SigningJob, signed: SignedInput)] = []
    /// When the first of them was begun, in nanoseconds of the monotonic clock.
    private var began: Int64 = 0

    /// Nanoseconds from the beginning of the first signature for which it may wait.
    private static let patience: Int64 = 250_000
    private static let most = 4

    mutating func append(_ job: any SigningJob, _ signed: SignedInput, begunAt began: Int64) {
        if finished.isEmpty { self.began = began }
        finished.append((job, signed))
    }

    /// Whether they can wait for one more signature, which would begin now.
    func mayWait(at now: Int64) -> Bool {
        finished.count < Self.most && now - began < Self.patience
    }

    /// Hands all of them over.
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
