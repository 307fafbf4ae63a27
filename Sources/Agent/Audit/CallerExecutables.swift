import Platform

/// Which programs callers run, read at most once a second for each pid: one may end, or run another program.
final class CallerExecutables: Sendable {
    private struct Known {
        let path: String?
        let at: Int64
    }

    private let known = Locked<[Int32: Known]>([:])

    private static let time: Int64 = 1_000_000_000
    private static let most = 4_096

    /// nil where it cannot be read.
    func path(of pid: Int32, at now: Int64) -> String? {
        if let known = known.withLock({ $0[pid] }), now - known.at < Self.time { return known.path }
        let path = ProcessExecutable.path(pid: pid)
        known.withLock { known in
            if known.count >= Self.most { known.removeAll(keepingCapacity: true) }
            known[pid] = Known(path: path, at: now)
        }
        return path
    }
}
