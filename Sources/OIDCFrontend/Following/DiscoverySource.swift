public import AgentProtocol

/// Where the public documents come from: the agent, or a double of it.
public protocol DiscoverySource: Sendable {
    /// Tells it from other agents, for people: the path of its socket.
    var name: String { get }

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

    /// Asks for a sign of life, and how old the agent's word may be; a refusal is a sign of life too.
    func ping() async throws -> StoreView

    /// Ends the connection; whatever waits on it throws. Closing twice is fine.
    func close() async
}

/// What an answer says of the store behind the agent.
public enum StoreView: Sendable, Equatable {
    /// Nothing: it is a refusal, or cannot be meant so.
    case unsaid
    /// The store is the agent's own.
    case own
    /// Several agents share it, and it confirmed what this one knows so many seconds before the answer.
    case shared(confirmedSecondsAgo: Int64)

    /// As the member `confirmedSecondsAgo` of an answer says.
    public init(confirmedSecondsAgo: Int?) {
        guard let confirmedSecondsAgo else {
            self = .own
            return
        }
        self = confirmedSecondsAgo < 0 ? .unsaid : .shared(confirmedSecondsAgo: min(Int64(confirmedSecondsAgo), Self.longestAge))
    }

    /// A century.
    private static let longestAge: Int64 = 3_155_760_000

    /// A moment at which a shared store had it confirmed, in nanoseconds of the clock by which the request was sent at `sentAt`. The answer
    /// came later than that, so the confirmation may be fresher, and is not older; nil where there is no shared store.
    func asOf(sentAt: Int64) -> Int64? {
        guard case .shared(let seconds) = self else { return nil }
        return sentAt - seconds * 1_000_000_000
    }
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
