import Foundation
import ProcessSupport
import Testing

@Suite("issuers after a change of publicBaseURL")
struct MovedIssuerTests {
    @Test("the log, health and the client name those that stay on the former URL, and one command mints a new one")
    func moved() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256", "--enable-oidc-issuer")
            _ = try await site.output("issuer", "create", "plain", "--algorithm", "ES256")
            try site.writeAgentConfiguration(replacing: ["http://127.0.0.1:": "https://moved.example.com:"])
            kill(agent.process.processIdentifier, SIGHUP)
            #expect(await poll("the log") { agent.text.contains("issuers stay on the URLs they have") })
            let line = try #require(agent.text.split(separator: "\n").first { $0.contains("issuers stay on") })
            #expect(line.contains("demo") && !line.contains("plain") && line.contains("--new-issuer-url"))

            let health = try await site.privyseal("health")
            #expect(health.status == 0)
            #expect(health.errors.contains("not under publicBaseURL: demo;"))
            let url = try await site.output(
                "issuer", "update", "demo", "--new-issuer-url", "--yes", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            #expect(url.hasPrefix("https://moved.example.com:"))
            #expect(try await site.privyseal("health").errors == "")
            #expect(await agent.end() == 0)
        }
    }
}
