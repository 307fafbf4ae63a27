import AgentClient
import AgentProtocol
public import Logging

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
    /// Throws a `FrontendError` with why the agent cannot be asked; blocks on the disk.
    public static func read(socketPath: String, cache: DocumentCache, logger: Logger) async throws -> AcceptancePlan {
        let kept = cache.load(logger: logger)
        do {
            return try await translating {
                let client = try await AgentConnection.connect(socketPath: socketPath)
                do {
                    let plan = try await read(client, kept)
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
            let urls: Set<String>
            do {
                urls = Set(try await client.call(GetDiscoveryParameters(issuer: name)).urls.map(\.issuerUrl))
            } catch let error as ProtocolError where error.reason == .issuerNotFound {
                // What was deleted goes by itself, unless another deployment says so.
                let isDeleted = error.details["generation"] != nil && deployment == kept.deployment
                if !isDeleted { forgotten[name] = result.generation }
                if isDeleted { continue }
                urls = []
            }
            // Of an issuer that both have, the deployment alone decides what ends.
            guard deployment != kept.deployment || urls.isEmpty else { continue }
            losses += result.urls.map(\.issuerUrl).filter { !urls.contains($0) }.map { Loss(issuer: name, url: $0) }
        }
        let present = snapshot.issuers.filter { $0.deleted != true }.map(\.name)
        return AcceptancePlan(
            acceptance: Acceptance(deployment: deployment, former: kept.deployment, forgotten: forgotten), losses: losses,
            gains: present.filter { kept.results[$0] == nil }.sorted())
    }
}
