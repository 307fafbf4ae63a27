import AgentProtocol
import IssuerStore

extension SettlementView {
    init(_ settlement: FleetSettlement, areKeysDestroyed: Bool? = nil, destroyedKeysStop: Bool? = nil) {
        self.init(
            settled: settlement.isSettled, agents: settlement.agents.map(AgentSettlementView.init),
            keysDestroyed: areKeysDestroyed,
            destroyedKeysStop: areKeysDestroyed == nil ? nil : destroyedKeysStop,
            frontends: [FrontendSettlementView]?(settlement.frontends))
    }
}

extension AgentSettlementView {
    fileprivate init(_ agent: FleetSettlement.Peer) {
        let (outcome, milliseconds, pending): (String, Int?, Int?) =
            switch agent.outcome {
            case .acknowledged: ("acknowledged", agent.milliseconds, nil)
            case .left: ("left", agent.milliseconds, nil)
            case .waitedOut: ("waited-out", agent.milliseconds, nil)
            case .pending(let seconds): ("pending", nil, seconds)
            }
        self.init(
            agent: agent.id, host: agent.host, outcome: outcome, milliseconds: milliseconds, pendingSeconds: pending,
            frontends: [FrontendSettlementView]?(agent.frontends))
    }
}

extension [FrontendSettlementView]? {
    /// `nil` for none.
    fileprivate init(_ frontends: [FrontendSettlement]) {
        self = frontends.isEmpty ? nil : frontends.map(FrontendSettlementView.init)
    }
}

extension FrontendSettlementView {
    fileprivate init(_ settlement: FrontendSettlement) {
        let (frontend, name) = (settlement.frontend, settlement.frontend.name)
        self.init(
            pid: name.map { Int($0.pid) }, uid: name.map { Int($0.uid) }, user: name?.user,
            count: name == nil ? frontend.count : nil, outcome: "served")
        switch settlement.outcome {
        case .served: milliseconds = settlement.milliseconds
        case .pending(let seconds): (outcome, staleForSeconds) = ("pending", seconds)
        case .gone(let seconds): (outcome, staleForSeconds) = ("gone", seconds)
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
        warnings += frontends.compactMap { $0.warning(of: "") }
        for agent in agents { warnings += agent.frontends.compactMap { $0.warning(of: " of agent \(agent.id)") } }
        return warnings
    }
}

extension FrontendSettlement {
    fileprivate func warning(of agent: String) -> String? {
        let who =
            frontend.name.map { "a frontend\(agent) (pid \($0.pid))" } ?? "some of \(frontend.count) further frontends\(agent)"
        return switch outcome {
        case .served: nil
        case .pending(let seconds):
            "\(who) has not said that it serves what holds now: relying parties may go by what was before for \(seconds) s"
        case .gone(let seconds):
            "\(who) went before it said what it serves: relying parties may go by what was before for \(seconds) s"
        }
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
