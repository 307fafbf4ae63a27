import ProcessSupport
import Testing

@Suite("A base URL that clients read in different ways")
struct BaseURLWarningTests {
    @Test("check, the log at the start and the log of a reload all say the warning")
    func said() async throws {
        try await Installation.with { site in
            try site.writeAgentConfiguration(replacing: ["http://127.0.0.1": "http://LOCALHOST"])
            let warning = "the host of publicBaseURL has capital letters"
            let outcome = try await Programs.run("privyseald", ["check", "--config", site.agentConfiguration])
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.contains("warning: \(warning)"), "\(outcome.output)")
            let agent = try await site.startAgent()
            #expect(agent.text.contains(warning), "\(agent.text)")
            try site.writeAgentConfiguration(replacing: ["http://127.0.0.1": "http://127.0.0.1//a"])
            let reloaded = try await site.output("call", "reload")
            #expect(reloaded.contains("publicBaseURL"), "\(reloaded)")
            #expect(await poll("the warning") { agent.text.contains("two slashes together") }, "\(agent.text)")
            // One that cannot be used leaves the one in force.
            try site.writeAgentConfiguration(replacing: ["http://127.0.0.1": "http://127.0.0.1:0/a"])
            #expect(try await site.privyseal("call", "reload").status == 1)
        }
    }
}
