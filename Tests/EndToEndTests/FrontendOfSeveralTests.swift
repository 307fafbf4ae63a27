import EtcdStore
import EtcdSupport
import FleetSupport
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

    @Test(
        "of two that share a store, acknowledges to each what the other has made, and is stale when none is confirmed any more",
        .enabled(if: EtcdServer.isInstalled, "etcd-server is not installed; a frontend of agents that share a store is left out"))
    func sharedStore() async throws {
        let server = try await EtcdServer.shared()
        let port = try #require(URL(string: server.endpoint.url)?.port)
        let ways = [
            try await CuttableProxy.start(listeningAt: .port(0), to: .port(port)),
            try await CuttableProxy.start(listeningAt: .port(0), to: .port(port)),
        ]
        try await Installation.with { site in
            let other = site.directory + "/b.sock"
            try write(site, ways, other)
            #expect(try await site.privyseald("init").status == 0)
            try await site.startAgent()
            let second = try site.start(
                at: "\(Programs.directory)/privyseald", ["serve", "--config", site.directory + "/b.yaml"])
            #expect(await site.agentAnswers(on: other), "\(second.text)")
            _ = try await site.output("issuer", "create", "demo", "--enable-oidc-issuer", "--algorithm", "ES256")
            let url = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            let jwks = url + "openid/v1/jwks"
            try configure(site, "staleAfter: 15s\nagents: [\(site.socket), \(other)]")
            let frontend = try await site.startFrontend()
            #expect(await poll("ready") { try await site.get("/readyz").status == 200 }, "\(frontend.text)")

            func rotate(_ socket: String) async throws {
                let outcome = try await Programs.run(
                    "privyseal", ["rotate", "demo", "--yes", "-o", "json"], environment: ["PRIVYSEAL_SOCKET": socket])
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(!outcome.output.contains("timed-out"), "\(outcome.output)")
                let kid = try #require(outcome.output.firstMatch(of: /"activeKid": ?"([^"]+)"/)?.output.1)
                #expect(try await site.get(jwks).body.contains(kid))
            }
            for socket in [site.socket, other, other, site.socket] { try await rotate(socket) }
            #expect(try await site.get("/readyz").status == 200)

            // The first is there, answers, and knows what it knew.
            await second.end(SIGKILL)
            ways[0].set(.cut)
            #expect(await poll("stale") { try await site.get("/readyz").status == 503 })
            let reason = try await site.get("/readyz").body
            #expect(reason.contains("what is served was last confirmed ") && reason.contains("\(site.socket): "), "\(reason)")
            let document = try await site.get(jwks)
            #expect(document.status == 200 && document.headers["cache-control"] == "public, max-age=0", "\(document)")
            #expect(await poll("said") { frontend.text.contains("what is served is stale, serving it unready") })

            ways[0].set(.open)
            #expect(await poll("ready") { try await site.get("/readyz").status == 200 })
            #expect(await poll("said") { frontend.text.contains("what is served is confirmed again") })
        }
        for way in ways { await way.close() }
    }

    /// Configurations of two agents on the token of the installation, each with a way of its own to the store.
    private func write(_ site: Installation, _ ways: [CuttableProxy], _ other: String) throws {
        let prefix = "/several/\(UUID().uuidString)"
        func store(_ index: Int) throws -> String {
            guard case .port(let port) = ways[index].place else { throw CocoaError(.coderInvalidValue) }
            return "store: { etcd: { endpoints: [\"http://127.0.0.1:\(port)\"], prefix: \(prefix) }, maxStaleness: 10s, "
                + "agent: agent-\(index), memory: \(site.directory)/fleet-\(index).json }\n"
                + "audit: { path: \(site.directory)/audit-\(index).log }"
        }
        let sqlite = "store: { sqlite: \(site.directory)/store.db }"
        let text = try String(contentsOfFile: site.agentConfiguration, encoding: .utf8)
        try site.writeAgentConfiguration(replacing: [sqlite: try store(0)])
        let path = site.directory + "/b.yaml"
        try text.replacing(sqlite, with: try store(1)).replacing(site.socket, with: other)
            .write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }
}
