import AgentClient
import AgentProtocol

/// What would be lost by taking the agent's word in place of what is served.
public struct AcceptancePlan: Sendable, Equatable {
    /// An issuer URL whose documents end.
    public struct Loss: Sendable, Equatable {
        public let issuer: String
        public let url: String
    }

    /// To be kept once somebody has agreed.
    public let acceptance: Acceptance
    /// By issuer and URL.
    public let losses: [Loss]
    /// Issuers whose documents are served from then on, and were not before.
    public let gains: [String]

    /// Whether the agent says nothing that has to be accepted.
    public var isEmpty: Bool { acceptance.deployment == acceptance.former && acceptance.forgotten.isEmpty }

    /// Compares the agent's word with the documents that are kept.
    ///
    /// Throws a `FrontendError` with why the cache cannot be read or the agent be asked; blocks on the disk.
    public static func read(
        socketPath: String, cache: DocumentCache, limit: Duration = .seconds(10)
    ) async throws -> AcceptancePlan {
        let kept = try cache.peek()
        do {
            return try await translating {
                let client = try await AgentConnection.connect(socketPath: socketPath)
                do {
                    let plan = try await Pause.realTime.limiting(to: limit, giveUp: client.close) { try await read(client, kept) }
                    await client.close()
                    return plan
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

    private static func read(_ client: AgentConnection, _ kept: Publication) async throws -> AcceptancePlan {
        let (snapshot, _) = try await client.watch()
        guard let deployment = snapshot.deployment, DocumentCheck.isDeployment(deployment) else {
            throw FrontendError(
                .agentGone, "the agent does not say of which deployment it is", hint: "update privyseald to this release")
        }
        var (forgotten, losses) = ([String: Int](), [Loss]())
        for (name, result) in kept.results.sorted(by: { $0.key < $1.key }) {
            guard let ending = try await ending(of: result, client, isOwn: deployment == kept.deployment) else { continue }
            forgotten[name] = result.generation
            losses += ending.map { Loss(issuer: name, url: $0) }
        }
        let present = snapshot.issuers.filter { $0.deleted != true }.map(\.name)
        return AcceptancePlan(
            acceptance: Acceptance(deployment: deployment, former: kept.deployment, forgotten: forgotten), losses: losses,
            gains: present.filter { kept.results[$0] == nil }.sorted())
    }

    /// The URLs whose documents end when the agent's word on an issuer is taken; nil where nothing has to be accepted for that.
    private static func ending(
        of result: DiscoveryResult, _ client: AgentConnection, isOwn: Bool
    ) async throws -> [String]? {
        do {
            let said = try await client.call(GetDiscoveryParameters(issuer: result.issuer))
            let lost = result.urls(lostWith: said)
            return isOwn && (said.generation >= result.generation || lost.isEmpty) ? nil : lost
        } catch let error as ProtocolError where error.reason == .issuerNotFound {
            // What was deleted goes by itself, unless another deployment says so.
            return isOwn && result.isDeleted(by: error) ? nil : result.urls.map(\.issuerUrl)
        } catch let error as ProtocolError where error.reason == .issuerQuarantined {
            return nil
        }
    }
}

extension DiscoveryResult {
    /// Issuer URLs of this result that the other does not have.
    func urls(lostWith other: DiscoveryResult) -> [String] {
        let left = Set(other.urls.map(\.issuerUrl))
        return urls.map(\.issuerUrl).filter { !left.contains($0) }
    }

    /// Whether the refusal says that this issuer has been deleted, and not an earlier one of its name.
    func isDeleted(by error: ProtocolError) -> Bool {
        (error.details["generation"]?.integer).map { $0 >= generation } ?? false
    }
}
