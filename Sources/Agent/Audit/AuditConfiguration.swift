/// Where the audit log is, and how often what happens to it by itself happens.
public struct AuditConfiguration: Hashable, Sendable {
    public var path: String
    /// Seconds after which a signature's record is on the disk at the latest.
    public var fsyncInterval: Int
    /// Seconds between two signatures of the head; `nil` when it is not signed, for a token that cannot have the key.
    public var headInterval: Int?

    public init(path: String, fsyncInterval: Int = 1, headInterval: Int? = 3_600) {
        self.path = path
        self.fsyncInterval = fsyncInterval
        self.headInterval = headInterval
    }
}
