import Logging
import Platform

/// How many connections there may be, and how long one may say nothing.
public struct ConnectionLimits: Hashable, Sendable {
    /// Connections in all.
    public var total: Int
    /// Connections of one user, unless an access rule says otherwise.
    public var perUser: Int
    /// Seconds after which a connection is closed that has nothing under way, watches nothing and has sent no whole line.
    public var idleSeconds: Int

    public init(total: Int = 1_024, perUser: Int = 256, idleSeconds: Int = 600) {
        self.total = total
        self.perUser = perUser
        self.idleSeconds = idleSeconds
    }

    /// Descriptors that are kept for all but connections: the store, the audit log, sockets of the process itself, and what the
    /// module opens, which is a file for each call of SoftHSM's and may be a connection for each session of another's.
    private static let reserve = 128
    /// Connections there are at least, or nobody could be told what is wrong.
    private static let least = 8

    /// As many of these connections as the process has descriptors for.
    ///
    /// A module that cannot open its files has lost its token, and the runtime ends a process in which it cannot open its own.
    func within(_ descriptors: DescriptorLimit, sessions: Int) -> ConnectionLimits {
        let most = max(descriptors.soft - Self.reserve - 2 * sessions, Self.least)
        var limits = self
        limits.total = min(total, most)
        limits.perUser = min(perUser, limits.total)
        return limits
    }

    /// As `within(_:sessions:)`, and says so when they are fewer.
    func within(_ descriptors: DescriptorLimit, sessions: Int, _ log: Logger) -> ConnectionLimits {
        let limits = within(descriptors, sessions: sessions)
        if limits.total < total {
            log.warning(
                "there are fewer descriptors than limits.connections needs",
                metadata: [
                    "limits.connections": "\(total)", "inForce": "\(limits.total)", "descriptors": "\(descriptors.soft)",
                    "hint": "give the process more descriptors (LimitNOFILE=, ulimit -n), or configure fewer connections",
                ])
        }
        return limits
    }
}
