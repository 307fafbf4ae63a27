import AgentProtocol
public import Logging
public import ServiceLifecycle

/// Keeps a publication as new as what the agent says, for as long as it runs; with one agent, equal to it.
///
/// Watches the agent and fetches the documents of an issuer on the same connection whenever it changes. A connection that
/// ends, or an agent that stops answering, is given up and tried anew with growing pauses; meanwhile the publication stays
/// as it is. Each turn between following and waiting is logged once.
public struct AgentFollower: Service {
    /// How often to ask for a sign of life, and how long every answer may take.
    public struct Timing: Sendable {
        /// 10 s unless given.
        public var heartbeat: Duration
        /// 10 s unless given.
        public var deadline: Duration

        /// Both are longer than zero.
        public init(heartbeat: Duration = .seconds(10), deadline: Duration = .seconds(10)) {
            self.heartbeat = heartbeat
            self.deadline = deadline
        }
    }

    let source: any DiscoverySource
    let publication: LivePublication
    /// The agent's place among those that are followed.
    let agent: Int
    /// Whether others are followed as well, by followers of their own.
    let isOneOfSeveral: Bool
    /// What an operator has accepted of an agent that says something else than before.
    let acceptance: @Sendable () -> Acceptance?
    let timing: Timing
    let pause: Pause
    let random: @Sendable () -> Double
    let logger: Logger

    /// `agent` is the place of the agent among those of the publication; `random` returns values from 0 to 1.
    public init(
        source: any DiscoverySource, publication: LivePublication, agent: Int = 0,
        acceptance: @escaping @Sendable () -> Acceptance? = { nil }, timing: Timing = Timing(), pause: Pause = .realTime,
        random: @escaping @Sendable () -> Double = { .random(in: 0...1) }, logger: Logger
    ) {
        self.source = source
        self.publication = publication
        self.agent = agent
        isOneOfSeveral = !publication.current.isSingle
        self.acceptance = acceptance
        self.timing = timing
        self.pause = pause
        self.random = random
        var logger = logger
        if isOneOfSeveral { logger[metadataKey: "agent"] = "\(source.name)" }
        self.logger = logger
    }

    /// Follows until graceful shutdown or cancellation; an agent that is away never ends it.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            await follow()
        }
    }

    private func follow() async {
        var link = AgentLink()
        while !Task.isCancelled {
            do {
                let connection = try await pause.limiting(to: timing.deadline) { try await source.connect() }
                try await Session(follower: self, connection: connection).run(link: &link)
            } catch {
                guard !Task.isCancelled else { return }
                let (wait, isNews) = link.lost(refused: error is ProtocolError, random: random())
                if isNews { log(error) } else { reportTurn() }
                // Only cancellation ends a pause early, and the loop sees that itself.
                try? await pause(.backoff, wait)
            }
        }
    }
}

extension AgentFollower {
    private func log(_ error: any Error) {
        var metadata: Logger.Metadata = ["error": "\(error)"]
        if let refusal = error as? ProtocolError {
            metadata["hint"] = "\(refusal.hint ?? "see the agent's log")"
            return logger.error("the agent refuses to be followed, serving what it last said", metadata: metadata)
        }
        metadata["hint"] = (error as? FrontendError).map { "\($0.hint)" }
        logger.warning("the agent is away, serving what it last said", metadata: metadata)
    }

    /// Says, once, that what is served has become stale, or is confirmed again. With a store of the agent's own, its being away says it.
    func reportTurn() {
        guard let readiness = publication.takeTurn() else { return }
        guard readiness.isStale else { return logger.notice("what is served is confirmed again") }
        logger.error(
            "what is served is stale, serving it unready",
            metadata: [
                "reason": "\(readiness.reason)",
                "hint": "see what keeps the agents from their store, and the frontend from the agents: privyseal health",
            ])
    }
}

/// Whether the agent is being followed, and what a turn of that calls for.
struct AgentLink: Sendable {
    private enum Phase {
        case starting, following, away, refused, foreign
    }

    private var phase = Phase.starting
    private var backoff = Backoff()

    /// Everything the agent has was fetched; returns whether that is news.
    mutating func followed() -> Bool {
        defer { phase = .following }
        backoff.succeeded()
        return phase != .following
    }

    /// The agent answers, and is of another deployment; returns whether that is news.
    mutating func met() -> Bool {
        defer { phase = .foreign }
        backoff.succeeded()
        return phase != .foreign
    }

    /// The agent could not be reached or was lost: how long to wait, and whether that is news.
    ///
    /// - Parameter refused: whether it answered that it will not be followed.
    mutating func lost(refused: Bool, random: Double) -> (wait: Duration, isNews: Bool) {
        let next = refused ? Phase.refused : .away
        defer { phase = next }
        return (backoff.failed(random: random), phase != next)
    }
}
