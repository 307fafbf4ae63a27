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

    /// The documents of one issuer.
    func discovery(of issuer: String) async throws -> DiscoveryResult

    /// Tells the agent what is served now. An agent that does not want to know is not told.
    func acknowledge(_ issuers: [ServedIssuer]) async throws

    /// Asks for a sign of life; a refusal is one.
    func ping() async throws

    /// Ends the connection; whatever waits on it throws. Closing twice is fine.
    func close() async
}

/// What a connection is told when it begins to watch.
public struct DiscoveryWatch: Sendable {
    /// The identity of the agent's store; nil from an agent that does not say.
    public let deployment: String?
    /// Every issuer there is.
    public let issuers: [WatchedIssuer]
    /// What changed since; throws or ends with the connection.
    public let changes: any AsyncSequence<IssuerChanges, any Error> & Sendable

    /// The snapshot, and the changes after it in their order.
    public init(
        deployment: String?, issuers: [WatchedIssuer], changes: any AsyncSequence<IssuerChanges, any Error> & Sendable
    ) {
        self.deployment = deployment
        self.issuers = issuers
        self.changes = changes
    }
}
