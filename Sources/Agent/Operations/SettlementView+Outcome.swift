import AgentProtocol

extension SettlementView {
    init(_ settlement: FleetSettlement, areKeysDestroyed: Bool? = nil) {
        self.init(
            settled: settlement.isSettled, agents: settlement.agents.map(AgentSettlementView.init),
            keysDestroyed: areKeysDestroyed)
    }
}

extension AgentSettlementView {
    fileprivate init(_ agent: FleetSettlement.Peer) {
        switch agent.outcome {
        case .acknowledged:
            self.init(agent: agent.id, host: agent.host, outcome: "acknowledged", milliseconds: agent.milliseconds)
        case .left:
            self.init(agent: agent.id, host: agent.host, outcome: "left", milliseconds: agent.milliseconds)
        case .waitedOut:
            self.init(agent: agent.id, host: agent.host, outcome: "waited-out", milliseconds: agent.milliseconds)
        case .pending(let seconds):
            self.init(agent: agent.id, host: agent.host, outcome: "pending", pendingSeconds: seconds)
        }
    }
}

extension FleetSettlement {
    /// What the caller should know of agents that did not answer.
    var warnings: [String] {
        var warnings: [String] = []
        if let failure { warnings.append("whether other agents go by it is not known: \(failure)") }
        for agent in agents {
            switch agent.outcome {
            case .acknowledged, .left: break
            case .waitedOut:
                warnings.append(
                    "agent \(agent.id) (\(agent.host)) has not answered, and was waited for until it could not sign any more")
            case .pending(let seconds):
                warnings.append(
                    "agent \(agent.id) (\(agent.host)) has not answered, and may go on by what was before for \(seconds) s")
            }
        }
        return warnings
    }
}

extension FleetReadiness {
    /// What the caller should know of agents that were not ready for the key that signs now.
    var warnings: [String] {
        lacking.sorted { $0.key < $1.key }.map { agent, reason in
            switch reason {
            case .unusable: "agent \(agent) has not said that it can use the key that signs now: it may refuse requests"
            case .unserved: "a frontend of agent \(agent) did not serve the key yet when it began to sign"
            }
        }
    }
}
