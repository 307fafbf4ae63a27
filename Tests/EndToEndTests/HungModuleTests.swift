import AgentProtocol
import FaultyTokenSupport
import Foundation
import ProcessSupport
import Testing

@Suite("A module whose calls never return")
struct HungModuleTests {
    /// What hangs, and what the agent says when it ends.
    static let hangs = [
        ["C_Sign hold"],
        ["C_Sign hold count=1", "C_Sign return=CKR_DEVICE_REMOVED"],
        ["C_Sign return=CKR_DEVICE_REMOVED", "C_Initialize hold"],
        ["C_Sign return=CKR_DEVICE_REMOVED", "C_OpenSession hold"],
        ["C_Sign return=CKR_GENERAL_ERROR", "C_CloseSession hold"],
    ]

    @Test("ends the agent for its supervisor when it can do no more, and the next one goes on where it was", arguments: hangs)
    func hung(rules: [String]) async throws {
        try await Installation.withFaultyToken { site, token in
            try site.writeAgentConfiguration(
                replacing: ["publicBaseURL:": "signing: { sessions: 2, callLimit: 1s, deadline: 3s }\npublicBaseURL:"])
            let agent = try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            let kid = try await site.output("issuer", "show", "demo", "--query", "activeKid", "-o", "tsv")
            try token.set(rules)
            for _ in 1...300 where agent.process.isRunning {
                let outcome = try await site.privyseal("jwt", "issue", "demo", "--audience", "api", "--subject", "me")
                #expect(outcome.status != 0)
            }
            let hasEnded = await poll("the agent's end") { !agent.process.isRunning }
            try #require(hasEnded, "\(agent.text)")
            #expect(await agent.process.status == 75, "\(agent.text)")
            #expect(agent.text.contains("error: ") && agent.text.contains("supervisor"), "\(agent.text)")

            try token.clear()
            try await site.startAgent()
            #expect(try await site.output("issuer", "show", "demo", "--query", "activeKid", "-o", "tsv") == kid)
            _ = try await site.output("jwt", "issue", "demo", "--audience", "api", "--subject", "me")
        }
    }

    @Test("an agent whose module hangs while it starts ends too", arguments: ["C_Initialize hold", "C_Login hold"])
    func hungStart(rule: String) async throws {
        try await Installation.withFaultyToken { site, token in
            try site.writeAgentConfiguration(replacing: ["publicBaseURL:": "signing: { callLimit: 1s }\npublicBaseURL:"])
            try token.set(rule)
            let outcome = try await Programs.run("privyseald", ["serve", "--config", site.agentConfiguration])
            #expect(outcome.status == 75, "\(outcome.errors)")
        }
    }
}
