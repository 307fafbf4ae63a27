import AgentProtocol
import Platform

/// The one publication that the followers write, the HTTP server reads and the cache keeps.
///
/// A change is served from the moment the call returns and reaches the disk afterwards, because the agent counts documents
/// as published once they were acknowledged.
public final class LivePublication: Sendable {
    private struct State {
        var publication: Publication
        /// Of followers, by the agent's place.
        var news: [Int: AsyncStream<Void>.Continuation] = [:]
        /// Whether it has been said that what is served is stale.
        var isStale = false
    }

    private let state: Locked<State>
    private let clock: @Sendable () -> Moment
    private let bootClock: @Sendable () -> Int64
    private let staleAfter: Int64?
    /// One element for each change and each confirmation, or for several of them. For one reader, the cache writer.
    let changes: AsyncStream<Void>
    private let change: AsyncStream<Void>.Continuation

    /// Starts from what was known before.
    ///
    /// - Parameters:
    ///   - agents: the name of each agent that is followed, in the order of their places; at least one.
    ///   - staleAfter: the seconds after which what no agent has confirmed is stale; where nil, an hour, and two minutes once an agent says
    ///     that it shares its store.
    ///   - clock: the wall clock.
    ///   - uptime: nanoseconds of the clock that nobody sets and that goes on while the machine is suspended.
    public init(
        _ initial: Publication = Publication(), agents: [String] = ["agent"], staleAfter: Int64? = nil,
        clock: @escaping @Sendable () -> Moment, uptime: @escaping @Sendable () -> Int64
    ) {
        var publication = initial
        publication.agents = agents.map(FollowedAgent.init)
        state = Locked(State(publication: publication))
        self.clock = clock
        bootClock = uptime
        self.staleAfter = staleAfter
        (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Everything known now.
    public var current: Publication { state.withLock { $0.publication } }

    /// The wall clock.
    var time: Moment { clock() }

    /// The clock that nobody sets, in nanoseconds.
    var uptime: Int64 { bootClock() }

    /// What a request for `path` gets now.
    public func document(at path: String) -> PublishedDocument? {
        let time = clock()
        return state.withLock { state in
            let publication = state.publication
            // One agent with a store of its own costs no second clock.
            let left = publication.isShared ? publication.secondsLeft(at: time, uptime: bootClock(), staleAfter: staleAfter) : nil
            return publication.document(at: path, time: time, noLongerThan: left)
        }
    }

    /// Whether clients should be sent here now.
    public var readiness: Readiness {
        let (time, uptime) = (clock(), bootClock())
        return state.withLock { $0.publication.readiness(at: time, uptime: uptime, staleAfter: staleAfter) }
    }

    /// How what is served stands to what the agents know of.
    var standing: Standing {
        let uptime = bootClock()
        return state.withLock { state in
            state.publication.standing(at: uptime, staleAfter: state.publication.staleness(staleAfter))
        }
    }

    /// The issuers that no agent vouches for and one knows otherwise.
    var doubted: Set<String> {
        let uptime = bootClock()
        return state.withLock { state in
            state.publication.doubted(at: uptime, staleAfter: state.publication.staleness(staleAfter))
        }
    }

    /// How old the word of each agent is, in the order of their places. Of one agent whose store is its own, nothing.
    var ages: [AgentAge] {
        let uptime = bootClock()
        return state.withLock { state in
            state.publication.isShared || !state.publication.isSingle ? state.publication.ages(at: uptime) : []
        }
    }

    /// Whether what is served has become stale, or is confirmed again, since this was last asked; nil when neither. Of one agent whose
    /// store is its own, never, and never of what has not been confirmed at all: that agents are away is said of each.
    func takeTurn() -> Readiness? {
        let (time, uptime) = (clock(), bootClock())
        return state.withLock { state in
            guard state.publication.isShared || !state.publication.isSingle else { return nil }
            let readiness = state.publication.readiness(at: time, uptime: uptime, staleAfter: staleAfter)
            guard readiness.isStale != state.isStale, readiness.isStale || readiness == .ready else { return nil }
            state.isStale = readiness.isStale
            return readiness
        }
    }

    // MARK: - What an agent says

    func meet(_ deployment: String?, by agent: Int, namesIssuers: Bool) -> Bool {
        update { $0.meet(deployment, by: agent, namesIssuers: namesIssuers) }
    }

    func take(_ deployment: String, by agent: Int) {
        update { $0.take(deployment, by: agent) }
    }

    func take(_ result: DiscoveryResult, from agent: Int) -> Publication.Taken {
        let time = clock()
        return update { $0.take(result, from: agent, at: time) }
    }

    func takeAbsence(of issuer: String, deletedAt: Int?, from agent: Int) -> Publication.Absence {
        let uptime = bootClock()
        return update { $0.takeAbsence(of: issuer, deletedAt: deletedAt, from: agent, at: uptime) }
    }

    func takeDeletion(of issuer: String, at generation: Int, from agent: Int) -> Bool {
        let uptime = bootClock()
        return update { $0.takeDeletion(of: issuer, at: generation, from: agent, at: uptime) }
    }

    func refuse(_ issuer: String, by agent: Int) -> Bool {
        update { $0.refuse(issuer, by: agent) }
    }

    func abstain(_ issuer: String, by agent: Int) {
        update { $0.abstain(issuer, by: agent) }
    }

    func giveUp(_ issuer: String, askedBy agent: Int) {
        update { $0.giveUp(issuer, askedBy: agent) }
    }

    /// Takes what an answer said of the agent's store, to a request that was sent at `sentAt`.
    func hear(_ view: StoreView, sentAt: Int64, from agent: Int) {
        update { $0.agents[agent].hear(view, sentAt: sentAt) }
    }

    /// All that the agent has told of is taken.
    func hearOut(_ agent: Int) {
        let (time, uptime) = (clock(), bootClock())
        update { $0.hearOut(agent, at: time, uptime: uptime) }
    }

    // MARK: - What others have said

    /// One element when there is something to tell the agent or to ask it, since another one has said something; for one follower.
    func news(for agent: Int) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { $0.news.updateValue(continuation, forKey: agent) }?.finish()
        return stream
    }

    /// What is served now of that which others have said since the last call, and issuers to ask the agent about. In order.
    func takeNews(for agent: Int) -> (served: [ServedIssuer], toAsk: [String]) {
        state.withLock { state in
            let news = state.publication.agents[agent].takeNews()
            let served = news.unacknowledged.sorted().compactMap { state.publication.results[$0].map(ServedIssuer.init) }
            return (served, news.toAsk.sorted())
        }
    }

    @discardableResult
    private func update<Value: Sendable>(_ body: (inout Publication) -> Value) -> Value {
        let (value, informed) = state.withLock { state in
            let value = body(&state.publication)
            let informed = state.news.filter { state.publication.agents[$0.key].hasNews }.map(\.value)
            return (value, informed)
        }
        for follower in informed { follower.yield() }
        change.yield()
        return value
    }
}
