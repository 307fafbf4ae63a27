public import Platform

/// Where the audit log is, and how often what happens to it by itself happens.
public struct AuditConfiguration: Hashable, Sendable {
    public var path: String
    /// Seconds after which a signature's record is on the disk at the latest.
    public var fsyncInterval: Int
    /// Seconds between two signatures of the head; `nil` when it is not signed, for a token that cannot have the key.
    public var headInterval: Int?
    /// Bytes by which what one user has done may make the log grow in a day; `nil` without a bound.
    public var limitPerUser: Int?
    /// Directories in which others could put files by their mode, and do not.
    public var trusted = TrustedDirectories.none

    /// A day's share of one user: some two million signatures.
    public static let usualLimitPerUser = 1 << 30

    public init(
        path: String, fsyncInterval: Int = 1, headInterval: Int? = 3_600,
        limitPerUser: Int? = AuditConfiguration.usualLimitPerUser
    ) {
        self.limitPerUser = limitPerUser
        self.path = path
        self.fsyncInterval = fsyncInterval
        self.headInterval = headInterval
    }
}
