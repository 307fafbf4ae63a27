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
            // Issuers whose documents the agent would not hand out.
            var refused: Set<String> = []
            let watch = try await limited { connection in try await connection.watch() }
            let present = watch.issuers.filter { $0.deleted != true }.map(\.name)
            follower.publication.dropAll(except: Set(present))
            try await fetch(present, &refused)
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
                    for await event in events { try await handle(event, &refused) }
                    throw CancellationError()
                } catch {
                    // Or the task that reads the changes might never end.
                    await connection.close()
                    throw error
                }
            }
        }

        private func handle(_ event: Event, _ refused: inout Set<String>) async throws {
            switch event {
            case .changed(let changes):
                for issuer in changes.issuers where issuer.deleted == true {
                    follower.publication.drop(issuer.name)
                    refused.remove(issuer.name)
                }
                try await fetch(changes.issuers.filter { $0.deleted != true }.map(\.name), &refused)
            case .heartbeat:
                try await limited { connection in try await connection.ping() }
                try await fetch(refused.sorted(), &refused)
            case .ended(let error):
                throw error
            }
        }

        /// Fetches and serves the documents of `issuers`, a few at a time, each from the moment it arrives.
        ///
        /// The publication counts as confirmed afterwards, unless the agent refuses some of it: what is served of that may
        /// be outdated.
        private func fetch(_ issuers: [String], _ refused: inout Set<String>) async throws {
            var waiting = issuers.makeIterator()
            try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<Self.requestsInFlight {
                    guard let issuer = waiting.next() else { break }
                    group.addTask { try await answer(on: issuer) }
                }
                while let answer = try await group.next() {
                    take(answer, &refused)
                    guard let issuer = waiting.next() else { continue }
                    group.addTask { try await self.answer(on: issuer) }
                }
            }
            if refused.isEmpty { follower.publication.confirm() }
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

        private func take(_ answer: Answer, _ refused: inout Set<String>) {
            switch answer.result {
            case .success(let result):
                do {
                    try DocumentCheck.check(result, answering: answer.issuer)
                } catch {
                    return refuse(
                        answer.issuer, error, "the agent's documents for an issuer cannot be served, serving what it last said",
                        &refused)
                }
                follower.publication.apply(result)
                refused.remove(answer.issuer)
            case .failure(let error) where error.reason == .issuerNotFound:
                // Deleted, or hidden from this caller, since it was named.
                follower.publication.drop(answer.issuer)
                refused.remove(answer.issuer)
            case .failure(let error) where error.reason == .issuerQuarantined:
                // What is served is to stay as it is, and the agent names the issuer again once that changes: no reason to
                // send the clients of the other issuers away.
                refused.remove(answer.issuer)
                follower.logger.warning(
                    "the agent keeps an issuer in quarantine, serving what it last said",
                    metadata: ["issuer": "\(answer.issuer)", "error": "\(error)"])
            case .failure(let error):
                refuse(answer.issuer, error, "the agent refuses an issuer's documents, serving what it last said", &refused)
            }
        }

        private func refuse(
            _ issuer: String, _ error: any Error, _ message: Logger.Message, _ refused: inout Set<String>
        ) {
            guard refused.insert(issuer).inserted else { return }
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
    }
}

private let agentGone = FrontendError(.agentGone, "the agent closed the connection", hint: "see the agent's log")
