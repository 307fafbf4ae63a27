import AgentProtocol
import OIDCFrontend
import Platform

/// An agent that does as the test says: holds issuers, tells watchers of changes, refuses, hangs, goes away.
final class ScriptedSource: DiscoverySource {
    struct Gone: Error {}

    /// The path that its socket would have.
    let name: String

    struct State {
        /// How long ago the store that it shares confirmed what it says; nil where its store is its own.
        var secondsAgo: Int?
        /// Whether it refuses to be watched.
        var refuses = false
        var isAway = false
        var hangs = false
        var deployment: String? = "first"
        var results: [String: DiscoveryResult] = [:]
        /// The last generation of issuers that were deleted.
        var deleted: [String: Int] = [:]
        /// What it was told to be served, in order.
        var served: [ServedIssuer] = []
        var refusals: [String: Reason] = [:]
        var revision = 0
        var connections: [ScriptedConnection] = []
        var attempts = 0
        /// Issuers asked for, in order.
        var asked: [String] = []
    }

    let state = Locked(State())

    init(_ results: [DiscoveryResult] = [], name: String = "/run/agent.sock", secondsAgo: Int? = nil) {
        self.name = name
        state.withLock { state in
            for result in results { state.results[result.issuer] = result }
            state.secondsAgo = secondsAgo
        }
    }

    func connect() async throws -> any DiscoveryConnection {
        let connection = try state.withLock { state throws(Gone) in
            state.attempts += 1
            if state.isAway { throw Gone() }
            let connection = ScriptedConnection(agent: self)
            state.connections.append(connection)
            return connection
        }
        return connection
    }

    /// A change of an issuer, told to whoever watches.
    func change(_ result: DiscoveryResult) {
        state.withLock { $0.results[result.issuer] = result }
        tell([WatchedIssuer(name: result.issuer, generation: result.generation)])
    }

    func delete(_ issuer: String) {
        let generation = state.withLock { state in
            state.deleted[issuer] = state.results.removeValue(forKey: issuer)?.generation
            return state.deleted[issuer] ?? 0
        }
        tell([WatchedIssuer(name: issuer, generation: generation, deleted: true)])
    }

    /// Tells whoever watches that something happened to these issuers.
    func tell(_ issuers: [WatchedIssuer]) {
        let (revision, connections) = state.withLock { state in
            state.revision += 1
            return (state.revision, state.connections)
        }
        for connection in connections { connection.changes.yield(IssuerChanges(revision: revision, issuers: issuers)) }
    }

    /// Ends every connection and, while away, lets nobody in.
    func goAway() {
        let connections = state.withLock { state in
            state.isAway = true
            defer { state.connections = [] }
            return state.connections
        }
        for connection in connections { connection.end(Gone()) }
    }

    func comeBack() { state.withLock { $0.isAway = false } }

    var open: Int { state.withLock { $0.connections.count } }
    var attempts: Int { state.withLock { $0.attempts } }
    var asked: [String] { state.withLock { $0.asked } }
}

final class ScriptedConnection: DiscoveryConnection {
    private let agent: ScriptedSource
    private let stream: AsyncThrowingStream<IssuerChanges, any Error>
    let changes: AsyncThrowingStream<IssuerChanges, any Error>.Continuation
    /// Finishes when the connection ends.
    private let life: AsyncStream<Void>
    private let lifeline: AsyncStream<Void>.Continuation

    init(agent: ScriptedSource) {
        self.agent = agent
        (stream, changes) = AsyncThrowingStream.makeStream()
        (life, lifeline) = AsyncStream.makeStream()
    }

    func end(_ error: (any Error)?) {
        changes.finish(throwing: error)
        lifeline.finish()
    }

    func watch() async throws -> DiscoveryWatch {
        try await answer()
        return try agent.state.withLock { state throws(ProtocolError) in
            if state.refuses { throw ProtocolError(.permissionDenied, "refused") }
            return DiscoveryWatch(
                deployment: state.deployment,
                issuers: state.results.values.map { WatchedIssuer(name: $0.issuer, generation: $0.generation) },
                changes: stream)
        }
    }

    func discovery(of issuer: String) async throws -> DiscoveryResult {
        try await answer()
        return try agent.state.withLock { state throws(ProtocolError) in
            state.asked.append(issuer)
            if let reason = state.refusals[issuer] { throw ProtocolError(reason, "refused") }
            guard let result = state.results[issuer] else {
                let details = state.deleted[issuer].map { ["generation": JSONValue.integer(Int64($0))] } ?? [:]
                throw ProtocolError(.issuerNotFound, "no such issuer", details: details)
            }
            var answer = result
            answer.confirmedSecondsAgo = state.secondsAgo
            answer.confirmedAt = state.secondsAgo.map { _ in wire(0) }
            return answer
        }
    }

    func acknowledge(_ issuers: [ServedIssuer]) async throws {
        try await answer()
        agent.state.withLock { $0.served += issuers }
    }

    func ping() async throws -> StoreView {
        try await answer()
        return StoreView(confirmedSecondsAgo: agent.state.withLock { $0.secondsAgo })
    }

    func close() async {
        agent.state.withLock { $0.connections.removeAll { $0 === self } }
        end(nil)
    }

    /// Returns when the agent answers: never, while it hangs and the connection lasts.
    private func answer() async throws {
        guard agent.state.withLock({ $0.hangs }) else { return }
        // Not ended by cancellation, as a call over a socket may not be.
        let waiting = Task { [life] in for await _ in life {} }
        await waiting.value
        throw ScriptedSource.Gone()
    }
}
