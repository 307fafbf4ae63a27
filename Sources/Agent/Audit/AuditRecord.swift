import AgentProtocol
import Platform

extension Method {
    /// Whether what is done by it is recorded, and not done while that is impossible. Denials always are.
    var isRecorded: Bool { ![.health, .version, .getDiscovery, .acknowledge].contains(self) }
}

/// What is recorded of one operation. Never a JWT, a signature, a PIN or a payload.
struct AuditRecord: Sendable {
    enum Outcome: String, Sendable {
        case allowed
        case denied
        case failed
        /// Before a change; the record of its outcome follows.
        case attempted
    }

    var caller: Caller
    var method: Method
    var issuer: String?
    var kid: String?
    var jti: String?
    var sub: String?
    var aud: [String]
    /// Seconds.
    var lifetime: Int?
    var outcome: Outcome
    var reason: String?
    /// Whether the caller only asked what would be changed.
    var isDryRun = false
    var durationMicroseconds: Int?
    /// What came of a change beyond its name: a rotation that `waits`, or was `cancelled`.
    var effect: String?
    /// The kids that a change has revoked.
    var revoked: [String] = []

    init(
        caller: Caller, method: Method, issuer: String? = nil, kid: String? = nil, jti: String? = nil,
        sub: String? = nil, aud: [String] = [], lifetime: Int? = nil, outcome: Outcome, reason: String? = nil,
        durationMicroseconds: Int? = nil
    ) {
        self.caller = caller
        self.method = method
        self.issuer = issuer
        self.kid = kid
        self.jti = jti
        self.sub = sub
        self.aud = aud
        self.lifetime = lifetime
        self.outcome = outcome
        self.reason = reason
        self.durationMicroseconds = durationMicroseconds
    }
}

/// Which programs callers run, read at most once a second for each pid: one may end, or run another program.
final class CallerExecutables: Sendable {
    private struct Known {
        let path: String?
        let at: Int64
    }

    /// What was last read.
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
