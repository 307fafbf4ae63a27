import AgentProtocol

/// How a change came to count for the other agents of a fleet, in words.
enum SettlementText {
    static func lines(_ settlement: SettlementView) -> [(label: String, value: String)] {
        var lines: [(label: String, value: String)] = []
        if let areDestroyed = settlement.keysDestroyed {
            lines.append(("Private keys", areDestroyed ? "destroyed" : "still to be destroyed"))
        }
        guard !settlement.agents.isEmpty else {
            return lines + [("Settled", settlement.settled ? "no other agent takes part" : "not known")]
        }
        lines.append(("Settled", settlement.settled ? "no agent signs by what was before" : "not yet"))
        return lines + settlement.agents.map { ("Agent \($0.agent)", outcome($0)) }
    }

    private static func outcome(_ agent: AgentSettlementView) -> String {
        switch agent.outcome {
        case "acknowledged": "signs by it (after \(time(agent)))"
        case "left": "takes part no more"
        case "waited-out": "has not answered, and cannot sign any more (waited \(time(agent)))"
        case "pending": "has not answered, and may go on for \(agent.pendingSeconds ?? 0)s"
        default: agent.outcome
        }
    }

    private static func time(_ agent: AgentSettlementView) -> String {
        guard let milliseconds = agent.milliseconds else { return "a while" }
        return milliseconds < 10_000 ? "\(milliseconds)ms" : Elapsed.exact(seconds: Int64(milliseconds / 1_000))
    }
}
