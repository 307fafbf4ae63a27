import AgentClient
import AgentProtocol

/// What would be lost by taking the agents' word in place of what is served.
public struct AcceptancePlan: Sendable, Equatable {
    /// An issuer URL whose documents end.
    public struct Loss: Sendable, Equatable {
        public let issuer: String
        public let url: String
    }

    /// An issuer that no agent knows as it is served, and one of several in an earlier generation with all its URLs.
    public struct StepBack: Sendable, Equatable {
        public let issuer: String
        public let served: Int
        public let known: Int
    }

    /// An agent whose word the plan is made without.
    public struct Absentee: Sendable, Equatable {
        public enum Cause: Sendable, Equatable {
            /// It does not answer, or refuses; one line with why.
            case silent(String)
            /// It is of another deployment than the others.
            case foreign(deployment: String)
        }

        /// The path of its socket.
        public let agent: String
        public let cause: Cause
    }

    /// To be kept once somebody has agreed.
    public let acceptance: Acceptance
    /// By issuer and URL.
    public let losses: [Loss]
    /// By issuer.
    public let stepsBack: [StepBack]
    /// Issuers whose documents are served from then on, and were not before.
    public let gains: [String]
    /// In the order of their places.
    public let absentees: [Absentee]

    /// Whether the agents say nothing that has to be accepted.
    public var isEmpty: Bool { acceptance.deployment == acceptance.former && acceptance.forgotten.isEmpty }

    /// Compares the agents' word with the documents that are kept.
    ///
    /// With several agents, one that does not answer is left out, and so is one of another deployment where any is of that whose documents are
    /// kept. What one of the others vouches for is not lost.
    ///
    /// Throws a `FrontendError` with why the cache cannot be read or no agent be asked, or that agents are of several deployments, none of
    /// which is that of the documents; blocks on the disk.
    public static func read(
        agents: [String], cache: DocumentCache, limit: Duration = .seconds(10)
    ) async throws -> AcceptancePlan {
        let kept = try cache.peek()
        var words: [AgentWord] = []
        var absentees: [(place: Int, Absentee)] = []
        var failure: (any Error)?
        for (place, agent) in agents.enumerated() {
            do {
                words.append(try await AgentWord.read(place, agent, on: kept.results.keys.sorted(), limit: limit))
            } catch let error as FrontendError {
                absentees.append((place, Absentee(agent: agent, cause: .silent(error.message))))
                failure = failure ?? error
            }
        }
        guard !words.isEmpty else {
            throw failure ?? FrontendError(.agentUnreachable, "there is no agent to ask", hint: "name one in agents")
        }
        let deployments = Set(words.map(\.deployment))
        let own = deployments.count == 1 ? deployments.first : deployments.first { $0 == kept.deployment }
        guard let own else {
            throw FrontendError(
                .agentGone,
                "the agents are of several deployments: "
                    + words.map { "\($0.agent) of \($0.deployment)" }.joined(separator: ", "),
                hint: "name agents of one deployment")
        }
        absentees += words.filter { $0.deployment != own }.map {
            ($0.place, Absentee(agent: $0.agent, cause: .foreign(deployment: $0.deployment)))
        }
        return AcceptancePlan(
            words.filter { $0.deployment == own }, of: own, isOneOfSeveral: agents.count > 1, kept,
            absentees.sorted { $0.place < $1.place }.map(\.1))
    }

    /// What `words`, at least one and all of `deployment`, say of the documents that are kept.
    init(
        _ words: [AgentWord], of deployment: String, isOneOfSeveral: Bool, _ kept: Publication, _ absentees: [Absentee] = []
    ) {
        let isOwn = deployment == kept.deployment
        var forgotten: [String: Int] = [:]
        var (losses, stepsBack) = ([Loss](), [StepBack]())
        for (name, result) in kept.results.sorted(by: { $0.key < $1.key }) {
            let answers = words.map { $0.answers[name] ?? .unsaid }
            let known = answers.compactMap(\.known).max { $0.generation < $1.generation }
            if isOwn {
                // What was deleted goes by itself, unless another deployment says so.
                if answers.contains(where: { $0.ends(result) }) { continue }
                if let known, known.generation >= result.generation { continue }
            }
            // One that has it in quarantine, or does not say, has nothing against its being served.
            if known == nil, !answers.contains(.nothing), !answers.contains(where: \.isDeletion) { continue }
            let ending = known.map(result.urls(lostWith:)) ?? result.urls.map(\.issuerUrl)
            if isOwn, ending.isEmpty {
                // One agent alone is believed as long as no URL is lost.
                guard isOneOfSeveral, let known else { continue }
                stepsBack.append(StepBack(issuer: name, served: result.generation, known: known.generation))
            }
            forgotten[name] = result.generation
            losses += ending.map { Loss(issuer: name, url: $0) }
        }
        acceptance = Acceptance(deployment: deployment, former: kept.deployment, forgotten: forgotten)
        gains = Set(words.flatMap(\.present)).filter { kept.results[$0] == nil }.sorted()
        (self.losses, self.stepsBack, self.absentees) = (losses, stepsBack, absentees)
    }
}

/// What one agent says when it is asked about all that is served.
struct AgentWord: Sendable {
    /// On one issuer.
    enum Answer: Sendable, Equatable {
        case known(DiscoveryResult)
        case deleted(generation: Int)
        /// The agent knows nothing of it.
        case nothing
        /// It has it in quarantine.
        case unsaid

        var known: DiscoveryResult? {
            if case .known(let result) = self { result } else { nil }
        }

        var isDeletion: Bool {
            if case .deleted = self { true } else { false }
        }

        /// Whether the issuer has been deleted, and not an earlier one of its name.
        func ends(_ result: DiscoveryResult) -> Bool {
            if case .deleted(let generation) = self { generation >= result.generation } else { false }
        }
    }

    /// Its place among those that are followed.
    let place: Int
    /// The path of its socket.
    let agent: String
    let deployment: String
    /// The issuers that it lists.
    let present: [String]
    let answers: [String: Answer]

    /// Asks the agent behind a socket about `issuers`. Throws a `FrontendError` with why it does not say.
    static func read(_ place: Int, _ agent: String, on issuers: [String], limit: Duration) async throws -> AgentWord {
        do {
            return try await translating {
                let client = try await AgentConnection.connect(socketPath: agent)
                do {
                    let word = try await Pause.realTime.limiting(to: limit, giveUp: client.close) {
                        try await read(place, agent, on: issuers, client)
                    }
                    await client.close()
                    return word
                } catch {
                    await client.close()
                    throw error
                }
            }
        } catch let error as ProtocolError {
            throw FrontendError(
                .agentGone, "the agent refuses: \(error.message)", hint: error.hint ?? "see the agent's log", cause: error)
        }
    }

    private static func read(
        _ place: Int, _ agent: String, on issuers: [String], _ client: AgentConnection
    ) async throws -> AgentWord {
        let (snapshot, _) = try await client.watch()
        guard let deployment = snapshot.deployment, DocumentCheck.isDeployment(deployment) else {
            throw FrontendError(
                .agentGone, "the agent does not say of which deployment it is", hint: "update privyseald to this release")
        }
        var answers: [String: Answer] = [:]
        for issuer in issuers { answers[issuer] = try await answer(on: issuer, client) }
        return AgentWord(
            place: place, agent: agent, deployment: deployment,
            present: snapshot.issuers.filter { $0.deleted != true }.map(\.name), answers: answers)
    }

    private static func answer(on issuer: String, _ client: AgentConnection) async throws -> Answer {
        do {
            return .known(try await client.call(GetDiscoveryParameters(issuer: issuer)))
        } catch let error as ProtocolError where error.reason == .issuerNotFound {
            return (error.details["generation"]?.integer).map { .deleted(generation: Int(clamping: $0)) } ?? .nothing
        } catch let error as ProtocolError where error.reason == .issuerQuarantined {
            return .unsaid
        }
    }
}

extension DiscoveryResult {
    /// Issuer URLs of this result that the other does not have.
    func urls(lostWith other: DiscoveryResult) -> [String] {
        let left = Set(other.urls.map(\.issuerUrl))
        return urls.map(\.issuerUrl).filter { !left.contains($0) }
    }
}
