import AgentClient
import AgentProtocol
import Foundation
import ProcessSupport
import Testing

@Suite("An agent that others abuse")
struct AbuseTests {
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../scripts/abuse").standardizedFileURL.path

    /// What it costs in time is for the script's table; it depends on the machine.
    @Test(
        "refuses nobody but the abusers, and keeps its memory, whatever one of them does",
        .enabled(if: geteuid() == 0, "users cannot be told apart but by root"))
    func abuse() async throws {
        let outcome = try await Programs.run(
            at: Self.script, ["--check", "--seconds", "1", "--bin", Programs.directory])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    }

    @Test("connections that would take the last descriptors are refused, and the token is not lost for it")
    func descriptors() async throws {
        try await Installation.with { site in
            let agent = try site.start(
                Launcher.arguments(
                    passing: ["descriptors:200:200"], "privyseald", ["serve", "--config", site.agentConfiguration]))
            try #require(await site.agentAnswers(), "\(agent.text)")
            #expect(agent.text.contains("fewer descriptors than limits.connections needs"))
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            var clients: [AgentConnection] = []
            var isFull = false
            while !isFull, clients.count < 300 {
                let client = try await site.connect()
                do {
                    _ = try await client.call(SignParameters(issuer: "demo", claims: ["aud": "api"]))
                    clients.append(client)
                } catch {
                    isFull = true
                    await client.close()
                }
            }
            #expect(isFull && clients.count > 8, "\(clients.count) connections")
            for client in clients { _ = try await client.call(SignParameters(issuer: "demo", claims: ["aud": "api"])) }
            _ = try await clients.first?.call(RotateParameters(issuer: "demo"))
            for client in clients { await client.close() }
            #expect(
                await poll("a connection") {
                    _ = try await site.output("issuer", "status", "demo")
                    return true
                })
            #expect(agent.process.isRunning)
        }
    }
}
