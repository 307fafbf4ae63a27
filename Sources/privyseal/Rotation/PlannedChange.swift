import AgentProtocol
import ArgumentParser

/// How a rotation or a revocation goes: fetch the plan, show it, ask, carry out that plan and no other.
struct PlannedChange: ParsableArguments {
    @Flag(help: "Show the plan and change nothing.")
    var dryRun = false
    @OptionGroup var confirmation: Confirmation
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    /// - Parameters:
    ///   - request: the request for a dry run, and for the change at a generation.
    ///   - title: what was done, without the full stop.
    func run<Parameters: RequestParameters>(
        on console: Console, _ request: (_ dryRun: Bool, _ generation: Int?) -> Parameters,
        title: (RotationResult) -> String
    ) async throws where Parameters.Result == RotationResult {
        if !dryRun { try confirmation.checkPossible(on: console) }
        try await socket.withAgent(console) { agent in
            let planReply = try await agent.call(request(true, nil))
            let planned = try planReply.decoded()
            guard !dryRun else {
                console.warn(planned.warnings)
                let view = View.text { now in
                    RotationText.plan(planned, now: now) + "Dry run: nothing was changed.\n"
                }
                return try output.print(planReply.tree, as: view, on: console)
            }
            if !confirmation.yes {
                console.writeError(RotationText.plan(planned, now: console.now()))
                console.warn(planned.warnings)
            }
            try confirmation.ask(RotationText.question(planned), on: console)

            let reply = try await agent.call(request(false, planned.plan.generation))
            let result = try reply.decoded()
            let title = title(result)
            // Said once: what stood beside the plan is not repeated.
            console.warn(result.warnings.filter { confirmation.yes || !planned.warnings.contains($0) })
            try output.print(
                reply.tree, as: .text { now in RotationText.result(result, title: title, now: now) }, on: console)
        }
    }
}
