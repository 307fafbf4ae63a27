import AgentProtocol
import Logging

extension AgentFollower.Session {
    /// What an agent said of an issuer, to a request that was sent at `sentAt` of the clock that nobody sets.
    struct Answer: Sendable {
        let issuer: String
        let sentAt: Int64
        let result: Result<DiscoveryResult, ProtocolError>
    }

    /// Of several answers, what the one said that goes back furthest: what is taken is no older than that.
    struct OldestView {
        private(set) var said: (view: StoreView, sentAt: Int64)?

        mutating func take(_ answer: Answer) {
            guard case .success(let result) = answer.result else { return }
            let view = StoreView(confirmedSecondsAgo: result.confirmedSecondsAgo)
            guard view != .unsaid else { return }
            guard let said else { return said = (view, answer.sentAt) }
            guard let asOf = view.asOf(sentAt: answer.sentAt) else { return }
            if asOf < said.view.asOf(sentAt: said.sentAt) ?? .max { self.said = (view, answer.sentAt) }
        }
    }

    /// Serves what an answer says, as far as it is newer than what is served. Throws when the agent's word counts no more.
    ///
    /// - Returns: what is served of the issuer now, where the agent has said it, or, of several agents, less than that.
    func take(_ answer: Answer, _ told: inout Set<String>) throws -> ServedIssuer? {
        let issuer = answer.issuer
        switch answer.result {
        case .success(var result):
            do {
                try DocumentCheck.check(result, answering: issuer)
            } catch {
                refuse(issuer, error, "the agent's documents for an issuer cannot be served, serving what it last said")
                return nil
            }
            // They are about the moment of the answer, and no part of what is served and kept.
            (result.confirmedAt, result.confirmedSecondsAgo) = (nil, nil)
            switch follower.publication.take(result, from: follower.agent) {
            case .served(let served):
                told.remove(issuer)
                return served
            case .older(let served):
                doubt(issuer, served, "the agent knows an issuer as it was before, serving what it last said", &told)
                return follower.isOneOfSeveral ? ServedIssuer(served) : nil
            case .ended:
                follower.logger.debug(
                    "the agent lists an issuer that another one has said to be deleted", metadata: ["issuer": "\(issuer)"])
            case .foreign: throw agentForeign
            }
        case .failure(let error) where error.reason == .issuerNotFound:
            let deletedAt = error.details["generation"]?.integer.map { Int(clamping: $0) }
            switch follower.publication.takeAbsence(of: issuer, deletedAt: deletedAt, from: follower.agent) {
            case .gone:
                told.remove(issuer)
                return deletedAt.map { ServedIssuer(name: issuer, generation: $0, urls: 0) }
            case .unexplained(let served):
                doubt(issuer, served, "the agent knows nothing of an issuer, serving what it last said", &told)
            case .foreign: throw agentForeign
            }
        case .failure(let error) where error.reason == .issuerQuarantined:
            // What is served is to stay as it is, and the agent names the issuer again once that changes: no reason to
            // send the clients of the other issuers away.
            follower.publication.abstain(issuer, by: follower.agent)
            told.remove(issuer)
            follower.logger.warning(
                "the agent keeps an issuer in quarantine, serving what it last said",
                metadata: ["issuer": "\(issuer)", "error": "\(error)"])
        case .failure(let error):
            refuse(issuer, error, "the agent refuses an issuer's documents, serving what it last said")
        }
        return nil
    }

    /// Says once that an issuer is in doubt, unless another agent vouches for it: then this one is only behind.
    private func doubt(_ issuer: String, _ served: DiscoveryResult, _ message: Logger.Message, _ told: inout Set<String>) {
        guard !follower.isOneOfSeveral || follower.publication.doubted.contains(issuer) else { return }
        guard told.insert(issuer).inserted else { return }
        follower.logger.error(
            message,
            metadata: [
                "issuer": "\(issuer)", "generation": "\(served.generation)",
                "hint": "restore the agent's store, or see what would be lost: privyseal-issuer accept --config FILE",
            ])
    }

    private func refuse(_ issuer: String, _ error: any Error, _ message: Logger.Message) {
        guard follower.publication.refuse(issuer, by: follower.agent) else { return }
        follower.logger.error(message, metadata: ["issuer": "\(issuer)", "error": "\(error)"])
    }
}

private let agentForeign = FrontendError(
    .agentGone, "the agent is of another deployment than what is served by now", hint: "name agents of one deployment")
