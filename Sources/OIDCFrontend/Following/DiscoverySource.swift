public import AgentProtocol

/// Where the public documents come from: the agent, or a double of it.
public protocol DiscoverySource: Sendable {
    /// Opens a fresh connection.
    func connect() async throws -> any DiscoveryConnection
}

/// One connection to the agent. When it ends, its calls and its changes throw; a refusal by the agent is a `ProtocolError`.
public protocol DiscoveryConnection: Sendable {
    /// Subscribes; called once, and before anything else. The issuers there are, then what changes among them.
    func watch() async throws -> DiscoveryWatch

    /// The documents of one issuer. On a connection that watches, asking tells the agent that they are served from now on.
    func discovery(of issuer: String) async throws -> DiscoveryResult

    /// Asks for a sign of life.
    func ping() async throws

    /// Ends the connection; whatever waits on it throws. Closing twice is fine.
    func close() async
}

/// What a connection is told when it begins to watch.
public struct DiscoveryWatch: Sendable {
    /// Every issuer there is.
    public let issuers: [WatchedIssuer]
    /// What changed since; throws or ends with the connection.
    public let changes: any AsyncSequence<IssuerChanges, any Error> & Sendable

    /// The snapshot, and the changes after it in their order.
    public init(issuers: [WatchedIssuer], changes: any AsyncSequence<IssuerChanges, any Error> & Sendable) {
        self.issuers = issuers
        self.changes = changes
    }
}
