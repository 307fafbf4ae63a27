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
}
