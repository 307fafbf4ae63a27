import AgentProtocol
import Logging

extension AgentFollower {
    /// One connection's worth of following.
    struct Session {
        let follower: AgentFollower
        let connection: any DiscoveryConnection

        private enum Event: Sendable {
            case changed(IssuerChanges)
            case heartbeat
            case ended(any Error)
        }

        /// Issuers whose documents are served and not vouched for.
        private struct Doubts {
            /// The agent would not hand them out.
            var refused: Set<String> = []
            /// It knows nothing of them.
            var unnamed: Set<String> = []
        }

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
            var doubts = Doubts()
            // Also what is served and not there: it may have been deleted, or hidden, or never been in the agent's store.
            try await fetch(present.union(follower.publication.current.results.keys).sorted(), &doubts)
            if link.followed() {
                follower.logger.info("following the agent", metadata: ["issuers": "\(present.count)"])
            }

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
                group.addTask { [follower] in
                    while (try? await follower.pause(.heartbeat, follower.timing.heartbeat)) != nil {
                        source.yield(.heartbeat)
                    }
                }
                do {
                    // One consumer handles one event after the other, so an older answer never replaces a newer one.
                    for await event in events { try await handle(event, &doubts) }
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
            guard !follower.publication.meet(deployment, namesIssuers: namesIssuers), let deployment else { return }
            let former = follower.publication.current.deployment
            while follower.acceptance()?.accepts(deployment, insteadOf: former) != true {
                if link.met() {
                    follower.logger.error(
                        "the agent is of another deployment, serving what the former one last said",
                        metadata: [
                            "deployment": "\(deployment)", "former": "\(former ?? "unknown")",
                            "hint": "restore the agent's store, or see what would be lost: privyseal-issuer accept --config FILE",
                        ])
                }
                try await follower.pause(.heartbeat, follower.timing.heartbeat)
                try await limited { connection in try await connection.ping() }
            }
            follower.publication.take(deployment)
            follower.logger.notice(
                "the agent's deployment has been accepted",
                metadata: ["deployment": "\(deployment)", "former": "\(former ?? "unknown")"])
        }

        private func handle(_ event: Event, _ doubts: inout Doubts) async throws {
            switch event {
            case .changed(let changes):
                for issuer in changes.issuers where issuer.deleted == true { drop(issuer.name, &doubts) }
                try await fetch(changes.issuers.filter { $0.deleted != true }.map(\.name), &doubts)
            case .heartbeat:
                try await limited { connection in try await connection.ping() }
                try await fetch(doubts.refused.union(doubts.unnamed).sorted(), &doubts)
            case .ended(let error):
                throw error
            }
        }

        private func drop(_ issuer: String, _ doubts: inout Doubts) {
            follower.publication.drop(issuer)
            doubts.refused.remove(issuer)
            doubts.unnamed.remove(issuer)
        }

        /// Fetches and serves the documents of `issuers`, a few at a time, each from the moment it arrives, and tells the agent.
        ///
        /// The publication counts as confirmed afterwards, unless the agent refuses some of it: what is served of that may
        /// be outdated.
        private func fetch(_ issuers: [String], _ doubts: inout Doubts) async throws {
            var waiting = issuers.makeIterator()
            var served: [ServedIssuer] = []
            try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<Self.requestsInFlight {
                    guard let issuer = waiting.next() else { break }
                    group.addTask { try await answer(on: issuer) }
                }
                while let answer = try await group.next() {
                    if let issuer = take(answer, &doubts) { served.append(issuer) }
                    if served.count >= Self.acknowledgedAtOnce {
                        try await acknowledge(served)
                        served = []
                    }
                    guard let issuer = waiting.next() else { continue }
                    group.addTask { try await self.answer(on: issuer) }
                }
            }
            try await acknowledge(served)
            let forgotten = forgetAccepted(&doubts)
            // What the agent does know of them is taken now.
            if !forgotten.isEmpty { return try await fetch(forgotten, &doubts) }
            follower.publication.note(unnamed: doubts.unnamed)
            if doubts.refused.isEmpty && doubts.unnamed.isEmpty { follower.publication.confirm() }
        }

        /// Drops what the agent knows nothing of, as far as an operator has accepted that, and returns whose documents that were.
        private func forgetAccepted(_ doubts: inout Doubts) -> [String] {
            guard !doubts.unnamed.isEmpty, let acceptance = follower.acceptance(),
                acceptance.deployment == follower.publication.current.deployment
            else { return [] }
            var forgotten: [String] = []
            for issuer in doubts.unnamed.sorted() {
                guard let result = follower.publication.current.results[issuer],
                    acceptance.covers(issuer, generation: result.generation)
                else { continue }
                drop(issuer, &doubts)
                forgotten.append(issuer)
                follower.logger.notice(
                    "the documents of an issuer are given up, as was accepted", metadata: ["issuer": "\(issuer)"])
            }
            return forgotten
        }

        private func acknowledge(_ served: [ServedIssuer]) async throws {
            do {
                try await limited { connection in try await connection.acknowledge(served) }
            } catch let error as ProtocolError {
                follower.logger.debug("the agent does not want to know what is served", metadata: ["error": "\(error)"])
            }
        }

        private struct Answer: Sendable {
            let issuer: String
            let result: Result<DiscoveryResult, ProtocolError>
        }

        /// Throws what ends the connection; what the agent refuses is a result.
        private func answer(on issuer: String) async throws -> Answer {
            do {
                let result = try await limited { connection in try await connection.discovery(of: issuer) }
                return Answer(issuer: issuer, result: .success(result))
            } catch let error as ProtocolError {
                return Answer(issuer: issuer, result: .failure(error))
            }
        }

        /// - Returns: what is served of the issuer now, where the agent has said it.
        private func take(_ answer: Answer, _ doubts: inout Doubts) -> ServedIssuer? {
            let issuer = answer.issuer
            switch answer.result {
            case .success(let result):
                do {
                    try DocumentCheck.check(result, answering: issuer)
                } catch {
                    refuse(
                        issuer, error, "the agent's documents for an issuer cannot be served, serving what it last said", &doubts)
                    return nil
                }
                doubts.refused.remove(issuer)
                if let served = follower.publication.current.results[issuer], result.generation < served.generation,
                    !served.urls(lostWith: result).isEmpty
                {
                    doubt(issuer, served, "the agent knows an issuer as it was before, serving what it last said", &doubts)
                    return nil
                }
                follower.publication.apply(result)
                doubts.unnamed.remove(issuer)
                return ServedIssuer(name: issuer, generation: result.generation, urls: result.urls.count)
            case .failure(let error) where error.reason == .issuerNotFound:
                takeAbsence(of: issuer, error, &doubts)
            case .failure(let error) where error.reason == .issuerQuarantined:
                // What is served is to stay as it is, and the agent names the issuer again once that changes: no reason to
                // send the clients of the other issuers away.
                doubts.refused.remove(issuer)
                doubts.unnamed.remove(issuer)
                follower.logger.warning(
                    "the agent keeps an issuer in quarantine, serving what it last said",
                    metadata: ["issuer": "\(issuer)", "error": "\(error)"])
            case .failure(let error):
                refuse(issuer, error, "the agent refuses an issuer's documents, serving what it last said", &doubts)
            }
            return nil
        }

        /// An issuer that the agent does not have: one that it has deleted is dropped, and one that it does not remember stays.
        private func takeAbsence(of issuer: String, _ error: ProtocolError, _ doubts: inout Doubts) {
            doubts.refused.remove(issuer)
            guard let served = follower.publication.current.results[issuer] else { return }
            // With no URL of it, nothing is lost.
            if served.isDeleted(by: error) || served.urls.isEmpty { return drop(issuer, &doubts) }
            doubt(issuer, served, "the agent knows nothing of an issuer, serving what it last said", &doubts)
        }

        private func doubt(
            _ issuer: String, _ served: DiscoveryResult, _ message: Logger.Message, _ doubts: inout Doubts
        ) {
            guard doubts.unnamed.insert(issuer).inserted else { return }
            follower.logger.error(
                message,
                metadata: [
                    "issuer": "\(issuer)", "generation": "\(served.generation)",
                    "hint": "restore the agent's store, or see what would be lost: privyseal-issuer accept --config FILE",
                ])
        }

        private func refuse(
            _ issuer: String, _ error: any Error, _ message: Logger.Message, _ doubts: inout Doubts
        ) {
            guard doubts.refused.insert(issuer).inserted else { return }
            follower.logger.error(message, metadata: ["issuer": "\(issuer)", "error": "\(error)"])
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
