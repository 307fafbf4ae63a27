import AgentProtocol
import FaultyTokenSupport
import Foundation
import Testing

@Suite("A module whose calls never return")
struct HungModuleTests {
    @Test("ends the agent for its supervisor once there are too many, and the next agent goes on where it was")
    func hung() async throws {
        try await Installation.withFaultyToken { site, token in
            try site.writeAgentConfiguration(
                replacing: ["publicBaseURL:": "signing: { sessions: 2, callLimit: 1s, deadline: 3s }\npublicBaseURL:"])
            let agent = try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            let kid = try await site.output("issuer", "show", "demo", "--query", "activeKid", "-o", "tsv")
            try token.set("C_Sign hold")
            var reasons: Set<String> = []
            for _ in 1...8 where agent.process.isRunning {
                let outcome = try await site.privyseal("jwt", "issue", "demo", "--audience", "api", "--subject", "me")
                #expect(outcome.status != 0)
                reasons.insert(outcome.errors)
            }
            #expect(await poll("the agent's end") { !agent.process.isRunning })
            #expect(agent.process.terminationReason == .exit && agent.process.terminationStatus == 75, "\(agent.text)")
            #expect(agent.text.contains("has not answered in time"), "\(agent.text)")
            #expect(!reasons.isEmpty)

            try token.clear()
            try await site.startAgent()
            #expect(try await site.output("issuer", "show", "demo", "--query", "activeKid", "-o", "tsv") == kid)
            _ = try await site.output("jwt", "issue", "demo", "--audience", "api", "--subject", "me")
        }
    }
}
