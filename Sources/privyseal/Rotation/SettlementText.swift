import AgentProtocol

/// How a change came to count for the other agents of a fleet, in words.
enum SettlementText {
    static func lines(_ settlement: SettlementView) -> [(label: String, value: String)] {
        var lines: [(label: String, value: String)] = []
        if let areDestroyed = settlement.keysDestroyed {
            let destroyed =
                switch settlement.destroyedKeysStop {
                case true?: "destroyed, which stops every agent that has used them"
                case false?: "destroyed; with this token an agent that has used them could go on"
                case nil: "destroyed"
                }
            lines.append(("Private keys", areDestroyed ? destroyed : "still to be destroyed"))
        }
        let own = frontends(settlement.frontends, of: nil)
        guard !settlement.agents.isEmpty else {
            // Where the store is one agent's own there is nobody else.
            if !own.isEmpty, settlement.settled { return lines + own }
            return lines + [("Settled", settlement.settled ? "no other agent takes part" : "not known")] + own
        }
        lines.append(("Settled", settlement.settled ? "no agent signs by what was before" : "not yet"))
        lines += own
        return lines
            + settlement.agents.flatMap { agent in
                [("Agent \(agent.agent)", outcome(agent))] + frontends(agent.frontends, of: agent.agent)
            }
    }

    /// One line for each frontend that is named, and one for those that are not.
    private static func frontends(
        _ frontends: [FrontendSettlementView]?, of agent: String?
    ) -> [(label: String, value: String)] {
        (frontends ?? []).map { frontend in
            let user = frontend.user ?? frontend.uid.map { "uid \($0)" }
            let who =
                if let pid = frontend.pid {
                    "pid \(pid)" + (user.map { " (\($0))" } ?? "")
                } else {
                    "\(frontend.count ?? 1) more"
                }
            return ("Frontend" + (agent.map { " of \($0)" } ?? ""), "\(who): \(outcome(frontend))")
        }
    }

    private static func outcome(_ frontend: FrontendSettlementView) -> String {
        let until = "what was before may be gone by for \(Elapsed.exact(seconds: Int64(frontend.staleForSeconds ?? 0)))"
        return switch frontend.outcome {
        case "served": "serves what holds now (after \(time(frontend.milliseconds)))"
        case "pending": "has not answered; \(until)"
        case "gone": "follows no more; \(until)"
        default: frontend.outcome
        }
    }

    private static func outcome(_ agent: AgentSettlementView) -> String {
        switch agent.outcome {
        case "acknowledged": "signs by it (after \(time(agent.milliseconds)))"
        case "left": "takes part no more"
        case "waited-out": "has not answered, and cannot sign any more (waited \(time(agent.milliseconds)))"
        case "pending": "has not answered, and may go on for \(agent.pendingSeconds ?? 0)s"
        default: agent.outcome
        }
    }

    private static func time(_ milliseconds: Int?) -> String {
        guard let milliseconds else { return "a while" }
        return milliseconds < 10_000 ? "\(milliseconds)ms" : Elapsed.exact(seconds: Int64(milliseconds / 1_000))
    }
}
