import Foundation
import ProcessSupport
import Testing

@Suite("A frontend of several agents, as a process")
struct FrontendOfSeveralTests {
    private func configure(_ site: Installation, _ agents: String) throws {
        try """
        \(agents)
        listen: { host: 127.0.0.1, port: \(site.port) }
        cache: \(site.directory)/documents
        """.write(toFile: site.issuerConfiguration, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: site.issuerConfiguration)
    }

    @Test(
        "names what is wrong with its agents, and ends with 78",
        arguments: [
            ("agent: /a\nagents: [/b]", "issuer.yaml:2:9: there are both agent and agents"),
            ("agents: [/a, /b, /a]", "issuer.yaml:1:18: agents has \"/a\" twice"),
            ("agents: [/a, b]", "issuer.yaml:1:14: agents.1 is not an absolute path: \"b\""),
            ("agents: []", "issuer.yaml:1:9: agents has 0 sockets"),
            ("agents: [\((0..<17).map { "/\($0)" }.joined(separator: ", "))]", "agents has 17 sockets"),
            ("agents:\nagent: /a", "agents has no value"), ("agent:", "\"agent\" is missing"),
        ])
    func configuration(agents: String, error: String) async throws {
        try await Installation.with { site in
            try configure(site, agents)
            for command in ["check", "serve", "accept"] {
                let outcome = try await Programs.run("privyseal-issuer", [command, "--config", site.issuerConfiguration])
                #expect(outcome.status == 78 && outcome.errors.contains(error), "\(command): \(outcome.errors)")
                #expect(outcome.errors.contains("hint: "))
            }
        }
    }

    @Test("serves by the one that is there, and says of the others why they are not followed")
    func oneOfThree() async throws {
        try await Installation.with { site in
            try await Installation.with { other in
                try await site.startAgent()
                try await other.startAgent()
                for site in [site, other] {
                    _ = try await site.output("issuer", "create", "demo", "--enable-oidc-issuer", "--algorithm", "ES256")
                }
                func jwks(_ site: Installation) async throws -> String {
                    try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
                        + "openid/v1/jwks"
                }
                let (url, foreign) = (try await jwks(site), try await jwks(other))
                // Whose documents they are is known from before.
                let first = try await site.startFrontend()
                #expect(await poll("the documents") { try await site.get(url).status == 200 })
                #expect(await first.end() == 0)

                let away = site.directory + "/away.sock"
                try configure(site, "agents: [\(other.socket), \(away), \(site.socket)]")
                let frontend = try await site.startFrontend()
                #expect(await poll("ready") { try await site.get("/readyz").status == 200 })
                #expect(
                    await poll("the foreign one") {
                        frontend.text.contains("an agent is of another deployment and is not followed")
                    })
                #expect(await poll("the one that is away") { frontend.text.contains(away) }, "\(frontend.text)")
                let elsewhere = try await site.get(try #require(URL(string: foreign)).path)
                #expect(elsewhere.status == 404, "\(elsewhere)")
                // For the second of which the fresh key has to be published.
                _ = try await site.output("rotate", "demo", "--yes")
                let outcome = try await site.output("rotate", "demo", "--yes", "-o", "json", "--query", "publication.outcome")
                #expect(outcome == "\"published\"")
                let kid = try await site.output("issuer", "status", "demo", "--query", "activeKid", "-o", "tsv")
                #expect(try await site.get(url).body.contains(kid))
                #expect(try await site.get("/readyz").status == 200)

                let nothing = try await Programs.run("privyseal-issuer", ["accept", "--config", site.issuerConfiguration])
                #expect(nothing.status == 0, "\(nothing.errors)")
                #expect(nothing.output.contains("nothing has to be accepted: the agents know of all that is served"))
                #expect(
                    nothing.output.contains(
                        "note: without the word of the agent at \(other.socket), which is of another deployment"))
                #expect(nothing.output.contains("note: without the word of the agent at \(away): there is no socket at \(away)"))

                _ = try await site.output("issuer", "delete", "demo", "--yes")
                #expect(await poll("the deletion") { try await site.get(url).status == 404 })
                #expect(await frontend.end() == 0)
                let start = try await Programs.run(
                    "privyseal-issuer", ["check", "--start", "--config", site.issuerConfiguration])
                #expect(
                    start.status == 0 && start.output.contains("warning: the agent at \(away) does not answer"), "\(start.output)"
                )
            }
        }
    }

    @Test("refuses to plan with agents of several deployments, none of which is that of its documents")
    func severalDeployments() async throws {
        try await Installation.with { site in
            try await Installation.with { other in
                try await site.startAgent()
                try await other.startAgent()
                try configure(site, "agents: [\(site.socket), \(other.socket)]")
                let outcome = try await Programs.run("privyseal-issuer", ["accept", "--config", site.issuerConfiguration])
                #expect(
                    outcome.status == 1 && outcome.errors.contains("the agents are of several deployments: "), "\(outcome.errors)"
                )
                #expect(outcome.errors.contains("hint: name agents of one deployment"))
            }
        }
    }
}
