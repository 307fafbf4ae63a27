import AgentClient
import AgentProtocol
import Platform

/// The agent behind its Unix socket.
public struct AgentSource: DiscoverySource {
    private let socketPath: String
    private let staleAfter: Int?

    public var name: String { socketPath }

    /// Connects to nothing yet.
    ///
    /// - Parameter staleAfter: the seconds that the agent is told of, after which what nobody has confirmed is stale; where nil, it goes by
    ///   what that is unless given.
    public init(socketPath: String, staleAfter: Int64? = nil) {
        self.socketPath = socketPath
        self.staleAfter = staleAfter.map { Int(clamping: $0) }
    }

    /// Throws `agentUnreachable`.
    public func connect() async throws -> any DiscoveryConnection {
        do {
            return AgentSourceConnection(
                client: try await AgentConnection.connect(socketPath: socketPath), staleAfter: staleAfter)
        } catch {
            throw FrontendError(error)
        }
    }

    /// Connects, asks for a sign of life and disconnects. Throws why that failed, after `limit` at the latest.
    public func probe(limit: Duration = .seconds(5), pause: Pause = .realTime) async throws {
        try await pause.limiting(to: limit) {
            let connection = try await connect()
            do {
                _ = try await connection.ping()
            } catch {
                await connection.close()
                throw error
            }
            await connection.close()
        }
    }
}

private final class AgentSourceConnection: DiscoveryConnection {
    private let client: AgentConnection
    private let staleAfter: Int?
    /// Whether the agent wants to know what is served; one of protocol 1.0 does not.
    private let takesAcknowledgements = Locked(true)

    init(client: AgentConnection, staleAfter: Int?) {
        self.client = client
        self.staleAfter = staleAfter
    }

    func watch() async throws -> DiscoveryWatch {
        let (snapshot, changes) = try await translating {
            if let staleAfter {
                do {
                    return try await client.watch(acknowledges: true, staleAfter: staleAfter)
                } catch let error as ProtocolError where error.reason == .invalidParams {
                    // An agent that does not ask for how long.
                }
            }
            do {
                return try await client.watch(acknowledges: true)
            } catch let error as ProtocolError where error.reason == .invalidParams {
                takesAcknowledgements.withLock { $0 = false }
                return try await client.watch()
            }
        }
        return DiscoveryWatch(
            deployment: snapshot.deployment, issuers: snapshot.issuers, changes: AgentChanges(changes: changes))
    }

    func acknowledge(_ issuers: [ServedIssuer]) async throws {
        guard takesAcknowledgements.withLock({ $0 }) else { return }
        _ = try await translating { try await client.call(AcknowledgeParameters(issuers: issuers)) }
    }

    func discovery(of issuer: String) async throws -> DiscoveryResult {
        try await translating { try await client.call(GetDiscoveryParameters(issuer: issuer)) }
    }

    func ping() async throws -> StoreView {
        do {
            let version = try await translating { try await client.call(VersionParameters()) }
            return StoreView(confirmedSecondsAgo: version.confirmedSecondsAgo)
        } catch is ProtocolError {
            // An agent that refuses is there.
            return .unsaid
        }
    }

    func close() async {
        await client.close()
    }
}

/// The client's changes, with the frontend's errors.
private struct AgentChanges: AsyncSequence, Sendable {
    let changes: WatchChanges

    func makeAsyncIterator() -> Iterator {
        Iterator(changes: changes.makeAsyncIterator())
    }

    struct Iterator: AsyncIteratorProtocol {
        var changes: WatchChanges.Iterator

        mutating func next() async throws -> IssuerChanges? {
            do {
                return try await changes.next()
            } catch let error as AgentUnreachable {
                throw FrontendError(error)
            }
        }
    }
}

/// Runs calls of the client with the frontend's errors.
func translating<Value>(_ call: () async throws -> Value) async throws -> Value {
    do {
        return try await call()
    } catch let error as AgentUnreachable {
        throw FrontendError(error)
    }
}

extension FrontendError {
    /// The client speaks of calls whose outcome is unknown, and of its own options; a follower changes nothing and has a
    /// configuration file.
    fileprivate init(_ error: AgentUnreachable) {
        switch error.code {
        case .connectionLost, .connectionClosed:
            self.init(.agentGone, "the connection to the agent ended", hint: "see the agent's log", cause: error)
        case .malformedReply:
            self.init(.agentGone, error.message, hint: error.hint, cause: error)
        case .socketMissing, .refused:
            self.init(
                .agentUnreachable, error.message, hint: "start privyseald, or correct the path of its socket in agent",
                cause: error)
        default:
            self.init(.agentUnreachable, error.message, hint: error.hint, cause: error)
        }
    }
}
