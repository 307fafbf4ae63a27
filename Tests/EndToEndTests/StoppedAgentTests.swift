import Foundation
import ProcessSupport
import Testing

@Suite("An agent that is stopped")
struct StoppedAgentTests {
    @Test("is given up by who asks whether it answers, and by who says for how long to wait, and answers once it goes on")
    func stopped() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            #expect(try await site.privyseal("health").output.contains("Audit log:  ok"))
            #expect(kill(agent.process.processIdentifier, SIGSTOP) == 0)
            for command in [["health", "--timeout", "1s"], ["version"], ["issuer", "list", "--timeout", "1s"]] {
                let outcome = try await Programs.run("privyseal", command, environment: site.environment)
                #expect(outcome.status == 3, "\(command): \(outcome.errors)")
                #expect(outcome.errors.contains("did not answer"), "\(outcome.errors)")
                #expect(outcome.errors.contains("\nhint: see whether it hangs"), "\(outcome.errors)")
            }
            #expect(kill(agent.process.processIdentifier, SIGCONT) == 0)
            #expect(await poll("its answer") { try await site.privyseal("health").status == 0 })
        }
    }
}
