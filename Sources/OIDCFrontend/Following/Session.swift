import AgentProtocol
import Logging

extension AgentFollower {
    /// One connection's worth of following.
    struct Session {
        let follower: AgentFollower
        let connection: any DiscoveryConnection

        private enum Event: Sendable {
            case changed(IssuerChanges)
            /// Another agent has said something.
            case news
            case heartbeat
            case ended(any Error)
        }

        private var publication: LivePublication { follower.publication }
        private var agent: Int { follower.agent }

        /// Returns by throwing only: why the connection is of no more use, or cancellation. The connection is closed then.
        func run(link: inout AgentLink) async throws {
            do {
                try await follow(&link)
            } catch {
                await connection.close()
                throw error
            }
        }

        private func follow(_ link: inout AgentLink) async throws {
            let watch = try await limited { connection in try await connection.watch() }
            if let deployment = watch.deployment, !DocumentCheck.isDeployment(deployment) { throw agentStrange }
            let present = Set(watch.issuers.filter { $0.deleted != true }.map(\.name))
            try await meet(watch.deployment, namesIssuers: !present.isEmpty, &link)
            // From here on: what others have said before is asked for below.
            let news = publication.news(for: agent)
            // Issuers in doubt that have been logged.
            var told: Set<String> = []
            // Also what is served and not there: it may have been deleted, or hidden, or never been in the agent's store.
            try await fetch(present.union(publication.current.results.keys).sorted(), isFirst: true, &told)
            if link.followed() {
                follower.logger.info("following the agent", metadata: ["issuers": "\(present.count)"])
            }
            follower.reportTurn()

            let (events, source) = AsyncStream.makeStream(of: Event.self)
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask {
                    do {
                        for try await changes in watch.changes { source.yield(.changed(changes)) }
                        source.yield(.ended(agentGone))
                    } catch {
                        source.yield(.ended(error))
                    }
                }
                group.addTask {
                    for await _ in news { source.yield(.news) }
                }
                group.addTask { [follower] in
                    while (try? await follower.pause(.heartbeat, follower.timing.heartbeat)) != nil {
                        source.yield(.heartbeat)
                    }
                }
                do {
                    // One consumer handles one event after the other, so an older answer never replaces a newer one.
                    for await event in events { try await handle(event, &told) }
                    throw CancellationError()
                } catch {
                    // Or the task that reads the changes might never end.
                    await connection.close()
                    throw error
                }
            }
        }

        /// Returns once the agent's word counts: at once for that of the deployment whose documents are served, and for another
        /// one when an operator has accepted it. Until then nothing of it is served, and nothing dropped.
        private func meet(_ deployment: String?, namesIssuers: Bool, _ link: inout AgentLink) async throws {
            while !publication.meet(deployment, by: agent, namesIssuers: namesIssuers), let deployment {
                let former = publication.current.deployment
                let metadata: Logger.Metadata = ["deployment": "\(deployment)", "former": "\(former ?? "unknown")"]
                guard follower.acceptance()?.accepts(deployment, insteadOf: former) != true else {
                    publication.take(deployment, by: agent)
                    follower.logger.notice("the agent's deployment has been accepted", metadata: metadata)
                    return
                }
                if link.met() {
                    let (message, hint): (Logger.Message, String) =
                        follower.isOneOfSeveral
                        ? (
                            "an agent is of another deployment and is not followed",
                            "name agents of one deployment, or see what would be lost: privyseal-issuer accept --config FILE"
                        )
                        : (
                            "the agent is of another deployment, serving what the former one last said",
                            "restore the agent's store, or see what would be lost: privyseal-issuer accept --config FILE"
                        )
                    follower.logger.error(message, metadata: metadata.merging(["hint": "\(hint)"]) { $1 })
                }
                follower.reportTurn()
                try await follower.pause(.heartbeat, follower.timing.heartbeat)
                _ = try await limited { connection in try await connection.ping() }
            }
        }

        private func handle(_ event: Event, _ told: inout Set<String>) async throws {
            switch event {
            case .changed(let changes):
                var toAsk: [String] = []
                var dropped: [ServedIssuer] = []
                for issuer in changes.issuers {
                    if issuer.deleted == true,
                        publication.takeDeletion(of: issuer.name, at: issuer.generation, from: agent)
                    {
                        told.remove(issuer.name)
                        dropped.append(ServedIssuer(name: issuer.name, generation: issuer.generation, urls: 0))
                    } else {
                        toAsk.append(issuer.name)
                    }
                }
                if !dropped.isEmpty { try await acknowledge(dropped) }
                try await fetch(toAsk, &told)
            case .news:
                let news = publication.takeNews(for: agent)
                if !news.served.isEmpty { try await acknowledge(news.served) }
                if !news.toAsk.isEmpty { try await fetch(news.toAsk, &told) }
            case .heartbeat:
                try await hearSign()
                try await fetch(publication.current.agents[agent].questions.sorted(), &told)
                follower.reportTurn()
            case .ended(let error):
                throw error
            }
        }

        /// Fetches and serves the documents of `issuers`, a few at a time, each from the moment it arrives, and tells the agent.
        ///
        /// The publication counts as confirmed afterwards, unless the agent refuses some of it: what is served of that may
        /// be outdated.
        private func fetch(_ issuers: [String], isFirst: Bool = false, _ told: inout Set<String>) async throws {
            var waiting = issuers.makeIterator()
            var served: [ServedIssuer] = []
            var age = OldestView()
            try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<Self.requestsInFlight {
                    guard let issuer = waiting.next() else { break }
                    group.addTask { try await answer(on: issuer) }
                }
                while let answer = try await group.next() {
                    age.take(answer)
                    if let issuer = try take(answer, &told) { served.append(issuer) }
                    if served.count >= Self.acknowledgedAtOnce {
                        try await acknowledge(served)
                        served = []
                    }
                    guard let issuer = waiting.next() else { continue }
                    group.addTask { try await self.answer(on: issuer) }
                }
            }
            try await acknowledge(served)
            if let said = age.said { publication.hear(said.view, sentAt: said.sentAt, from: agent) }
            // An agent without issuers, or with all of them in quarantine, has not said how old its word is.
            if isFirst, age.said == nil { try await hearSign() }
            let forgotten = forgetAccepted(&told)
            // What the agent does know of them is taken now.
            if !forgotten.isEmpty { return try await fetch(forgotten, &told) }
            publication.hearOut(agent)
        }

        /// Asks for a sign of life, and takes how old the agent's word is.
        private func hearSign() async throws {
            let sentAt = publication.uptime
            let view = try await limited { connection in try await connection.ping() }
            publication.hear(view, sentAt: sentAt, from: agent)
        }

        /// Drops what no agent vouches for, as far as an operator has accepted that, and returns whose documents that were.
        private func forgetAccepted(_ told: inout Set<String>) -> [String] {
            let current = publication.current
            let lagging = current.agents[agent].lagging.filter { $0.value != .unasked }
            guard !lagging.isEmpty, let acceptance = follower.acceptance(), acceptance.deployment == current.deployment else {
                return []
            }
            var forgotten: [String] = []
            for issuer in publication.doubted.intersection(lagging.keys).sorted() {
                guard let result = current.results[issuer], acceptance.covers(issuer, generation: result.generation) else {
                    continue
                }
                publication.giveUp(issuer, askedBy: agent)
                told.remove(issuer)
                forgotten.append(issuer)
                follower.logger.notice(
                    "the documents of an issuer are given up, as was accepted", metadata: ["issuer": "\(issuer)"])
            }
            return forgotten
        }

        /// Says what is served, or with an empty list that nothing is.
        private func acknowledge(_ served: [ServedIssuer]) async throws {
            do {
                for start in stride(from: 0, to: max(served.count, 1), by: Self.acknowledgedAtOnce) {
                    let some = Array(served[start...].prefix(Self.acknowledgedAtOnce))
                    try await limited { connection in try await connection.acknowledge(some) }
                }
            } catch let error as ProtocolError {
                follower.logger.debug("the agent does not want to know what is served", metadata: ["error": "\(error)"])
            }
        }

        /// Throws what ends the connection; what the agent refuses is a result.
        private func answer(on issuer: String) async throws -> Answer {
            let sentAt = publication.uptime
            do {
                let result = try await limited { connection in try await connection.discovery(of: issuer) }
                return Answer(issuer: issuer, sentAt: sentAt, result: .success(result))
            } catch let error as ProtocolError {
                return Answer(issuer: issuer, sentAt: sentAt, result: .failure(error))
            }
        }

        private func limited<Value: Sendable>(
            _ operation: @escaping @Sendable (any DiscoveryConnection) async throws -> Value
        ) async throws -> Value {
            let connection = connection
            return try await follower.pause.limiting(to: follower.timing.deadline, giveUp: connection.close) {
                try await operation(connection)
            }
        }

        /// Enough to hide the round trips when there are a thousand issuers, too few to fill the agent's queue.
        private static let requestsInFlight = 16
        /// Few enough for a line, and for a change not to wait for all the others.
        private static let acknowledgedAtOnce = 64
    }
}

private let agentGone = FrontendError(.agentGone, "the agent closed the connection", hint: "see the agent's log")
private let agentStrange = FrontendError(
    .agentGone, "the agent's deployment is no identity", hint: "see whether it is privyseald that listens on the socket")
