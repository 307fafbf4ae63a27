import KeyLifecycle

/// What reading the configuration again came to.
public struct ReloadedConfiguration: Sendable {
    /// The origin of URLs minted from now on, without a trailing slash.
    public var publicBaseURL: String
    /// The issuers whose URL is not under it, where it has changed: set once it is in force.
    var issuersElsewhere: [IssuerName] = []
    /// Who may do what from now on.
    public var access: AccessPolicy
    /// Counts how often the configuration was read.
    public var number = 0
    /// Settings in force from now on, by their path in the file.
    public var applied: [String]
    /// Settings that differ and need a restart.
    public var needsRestart: [String]

    public init(publicBaseURL: String, access: AccessPolicy, applied: [String], needsRestart: [String]) {
        self.publicBaseURL = publicBaseURL
        self.access = access
        self.applied = applied
        self.needsRestart = needsRestart
    }
}
