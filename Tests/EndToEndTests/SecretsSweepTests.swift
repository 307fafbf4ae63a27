import AgentClient
import AgentProtocol
import Foundation
import JOSE
import Platform
import ProcessSupport
import SoftHSMSupport
import Testing

/// A whole life of an installation at the highest log level, after which nothing that was said or written holds a secret.
@Suite("Secrets stay where they belong")
struct SecretsSweepTests {
    @Test("whatever the programs write, show and keep", arguments: [LogFormat.text, .json])
    func sweep(_ format: LogFormat) async throws {
        try await SoftHSMToken.with { token in
            let pin = String(decoding: token.userPIN, as: UTF8.self)
            try await Installation(token, agentEnvironment: ["SEAL_PIN": pin]).run { site in
                let life = WatchedLife(site)
                try await life.live(log: format)
                let search = life.search
                #expect(search.secrets.count >= 10 && search.keys.kids.count >= 4, "what was looked for")
                let findings = search.findings(in: life.evidence)
                #expect(findings.isEmpty, "\n\(findings.joined(separator: "\n"))")

                // What has to be among it, or nothing was looked at.
                let places = life.evidence.map(\.place)
                for part in [
                    "privyseald.log", "issuer.log", "store.db", "store.db-wal", "/documents/", "/environ", "/cmdline",
                    "metrics", "backup.db", "audit.log",
                ] { #expect(places.contains { $0.hasSuffix(part) || $0.contains(part) }, "\(part)") }
                for log in life.evidence where log.place.hasSuffix(".log") && !log.place.hasSuffix("audit.log") {
                    let text = String(decoding: log.data, as: UTF8.self)
                    #expect(text.contains(format == .json ? "\"level\":\"debug\"" : " debug "), "\(log.place) at a low level")
                }
                // And a secret in one of these places would have been found.
                try Data("PIN \(pin)\n".utf8).write(to: URL(fileURLWithPath: site.directory + "/planted.log"))
                #expect(!search.findings(in: try life.files()).isEmpty)
            }
        }
    }

    enum LogFormat: String { case text, json }
}

/// The life of an installation, everything that can be seen of it, and the secrets there are in it.
private final class WatchedLife {
    private let site: Installation
    private let pin: String
    private(set) var search = SecretSearch(secrets: [])
    private(set) var evidence: [Evidence] = []

    init(_ site: Installation) {
        self.site = site
        pin = String(decoding: site.token.userPIN, as: UTF8.self)
    }

    func live(log: SecretsSweepTests.LogFormat) async throws {
        let wrongPIN = "\(UUID())"
        search.secrets += [Secret("the PIN", text: pin), Secret("a wrong PIN", text: wrongPIN)]
        search.secrets.append(Secret("the security officer's PIN", site.token.securityOfficerPIN))
        try configure(log)
        try await refuseAPIN(wrongPIN)

        let agent = try await site.startAgent()
        let frontend = try await site.startFrontend()
        try await run("issuer", "create", "demo", "--enable-oidc-issuer", "--algorithm", "ES256")
        try await run("issuer", "create", "further", "--algorithm", "ES256", "--default-issuer", "https://further.example")
        let url = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
        #expect(await poll("the documents") { try await site.get(url + "openid/v1/jwks").status == 200 })
        try await useKeys(url)
        try await misuse()
        kill(agent.process.processIdentifier, SIGHUP)
        try await run("call", "reload")
        try await run("privyseald", ["backup", "--config", site.agentConfiguration, "--to", site.directory + "/backup.db"])
        try await run("issuer", "delete", "further", "--yes")
        let revoked = try await site.output("issuer", "status", "demo", "--query", "activeKid", "-o", "tsv")
        try await run("keys", "revoke", revoked, "--yes")
        try await useKeys(url)

        let client = try await site.connect()
        evidence.append(Evidence("metrics", text: try await client.call(MetricsParameters()).text))
        await client.close()
        for path in ["/healthz", "/readyz", "/metrics", "/nothing"] {
            let answer = try await site.get(path)
            evidence.append(Evidence("frontend \(path)", text: "\(answer.headers)\n\(answer.body)"))
        }
        for daemon in [agent, frontend] { evidence += try Evidence.process(daemon.process.processIdentifier) }
        // With the WAL as it is while the agent runs, and once more when it has ended.
        evidence += try files()
        #expect(await agent.end() == 0)
        #expect(await frontend.end() == 0)
        evidence += try files()
    }

    /// Every file there is, except where the PIN belongs, and the module itself.
    func files() throws -> [Evidence] {
        try Evidence.files(below: site.directory, except: [site.token.pinFile, site.token.modulePath])
    }

    private func configure(_ log: SecretsSweepTests.LogFormat) throws {
        let section = "log: { level: trace, format: \(log.rawValue) }\n"
        try site.writeAgentConfiguration(replacing: ["pinFile: \(site.token.pinFile)": "pinEnvironment: SEAL_PIN"])
        for path in [site.agentConfiguration, site.issuerConfiguration] {
            try (String(contentsOfFile: path, encoding: .utf8) + "\n" + section).write(
                toFile: path, atomically: true, encoding: .utf8)
        }
    }

    /// The token says no once, and is told that the PIN was corrected.
    private func refuseAPIN(_ wrong: String) async throws {
        for (pin, status) in [(wrong, Int32(77)), (pin, 77)] {
            let outcome = try await Programs.run(
                "privyseald", ["serve", "--config", site.agentConfiguration], environment: ["SEAL_PIN": pin])
            #expect(outcome.status == status, "\(outcome.errors)")
            note("privyseald serve", outcome)
        }
        try await run("privyseald", ["token", "pin-corrected", "--config", site.agentConfiguration])
        let outcome = try await Programs.run(
            "privyseald", ["check", "--start", "--config", site.agentConfiguration], environment: ["SEAL_PIN": pin])
        #expect(outcome.status == 0, "\(outcome.errors)")
        note("privyseald check", outcome)
    }

    /// Signs, verifies and rotates, by every key once.
    private func useKeys(_ url: String) async throws {
        for round in 0..<3 {
            let claim = "claim-\(UUID())"
            let jwt = try await site.output(
                "jwt", "issue", "demo", "--subject", "me", "--audience", "api", "--claim", "team=\(claim)")
            try keep(jwt, claim)
            let verified = try await site.privyseal("jwt", "verify", "--issuer-url", url, "-", input: jwt)
            #expect(verified.status == 0, "\(verified.errors)")
            // Its output shows the claims: that is what it is for.
            evidence.append(Evidence("errors of jwt verify", text: verified.errors))
            let altered = String(jwt.dropLast(8)) + "AAAAAAAA"
            let forged = try await site.privyseal("jwt", "verify", "--issuer-url", url, "-", input: altered)
            #expect(forged.status == 4)
            note("jwt verify of a forged JWT", forged)
            try await noteKeys()
            try await run("keys", "list", "--issuer", "demo", "-o", "json")
            if round < 2 { try await run("rotate", "demo", "--yes") }
        }
        let payload = try await signPayload(url)
        try keep(payload.jwt, payload.claim)
    }

    private func signPayload(_ url: String) async throws -> (jwt: String, claim: String) {
        let now = Int64(Date().timeIntervalSince1970)
        let claim = "claim-\(UUID())"
        let claims: JSONValue = [
            "iss": .string(url), "aud": "api", "iat": .integer(now), "exp": .integer(now + 3_600), "team": .string(claim),
        ]
        let client = try await site.connect()
        let result = try await client.call(
            SignParameters(issuer: "demo", payload: Base64URL.encodeToString(claims.encoded())))
        await client.close()
        return (result.jwt, claim)
    }

    /// The parts of a JWT that must not be seen again, and the value of one of its claims.
    private func keep(_ jwt: String, _ claim: String) throws {
        let parts = jwt.split(separator: ".")
        try #require(parts.count == 3)
        search.secrets += [
            Secret("a signature", text: String(parts[2])),
            Secret("a signature's bytes", try Base64URL.decode(String(parts[2]))),
            Secret("a payload", text: String(parts[1])), Secret("a claim", text: claim),
        ]
    }

    private func noteKeys() async throws {
        let client = try await site.connect()
        let keys = try await client.call(ListKeysParameters(limit: 500)).keys
        await client.close()
        for key in keys {
            guard let x = key.publicJWK["x"]?.string, let y = key.publicJWK["y"]?.string else { continue }
            search.keys.add(kid: key.kid, publicKey: try Base64URL.decode(x) + Base64URL.decode(y))
        }
    }

    /// Requests that are refused, each with a secret in it.
    private func misuse() async throws {
        let claim = "claim-\(UUID())"
        search.secrets.append(Secret("a claim of a refused request", text: claim))
        let texts = [
            #"{"issuer":"demo","claims":{"aud":"api","team":"\#(claim)","team":1}}"#,
            #"{"issuer":"demo","claims":{"aud":"api","team":"\#(claim)","exp":1}}"#,
            #"{"issuer":"demo","claims":{"aud":"api","team":"\#(claim)","iss":"https://stranger.example"}}"#,
            #"{"issuer":"demo","claims":{"aud":"","team":"\#(claim)"}}"#,
            #"{"issuer":"demo","claims":"\#(claim)"}"#,
            #"{"issuer":"demo","claims":{"aud":"api","iat":"\#(claim)"}}"#,
            #"{"issuer":"nobody","claims":{"aud":"api","team":"\#(claim)"}}"#,
            #"{"issuer":"demo","payload":"\#(Base64URL.encodeToString(Array(#"{"team":"\#(claim)"}"#.utf8)))"}"#,
            #"{"issuer":"demo","payload":"\#(claim)"}"#,
            #"{"issuer":"demo","claims":{"aud":"api"},"lifetimeSeconds":"\#(claim)"}"#,
            #"{"issuer":"demo","claims":{"aud":"api","team":"\#(claim)"},"lifetimeSeconds":999999}"#,
        ]
        for text in texts {
            let outcome = try await site.privyseal("call", "sign", "-", input: text)
            #expect(outcome.status != 0, "\(text)")
            note("call sign", outcome)
        }
        for claims in [#"{"aud":"api","team":"\#(claim)""#, #"{"aud":["api",7],"team":"\#(claim)"}"#] {
            let outcome = try await site.privyseal("sign", "demo", "--claims", "-", input: claims)
            #expect(outcome.status != 0)
            note("sign", outcome)
        }
        for line in [
            #"{"team":"\#(claim)"#, #""\#(claim)""#, #"{"jsonrpc":"2.0","id":1,"method":"sign","params":["\#(claim)"]}"#,
        ] {
            note("an undecodable line", try await site.answer(to: line))
        }
        let long = #"{"jsonrpc":"2.0","id":1,"method":"sign","params":{"issuer":"demo","claims":{"team":"\#(claim)"}}}"#
        note("a line that is too long", try await site.answer(to: long + String(repeating: " ", count: 70_000)))
    }

    private func run(_ arguments: String...) async throws {
        try await run("privyseal", arguments)
    }

    private func run(_ program: String, _ arguments: [String]) async throws {
        let outcome = try await Programs.run(
            program, arguments, environment: site.environment.merging(["SEAL_PIN": pin]) { given, _ in given })
        #expect(outcome.status == 0, "\(program) \(arguments): \(outcome.errors)")
        note("\(program) \(arguments.joined(separator: " "))", outcome)
    }

    private func note(_ place: String, _ outcome: Programs.Outcome) {
        evidence += [
            Evidence("output of \(place)", text: outcome.output), Evidence("errors of \(place)", text: outcome.errors),
        ]
    }

    private func note(_ place: String, _ line: String) {
        evidence.append(Evidence("the reply to \(place)", text: line))
    }
}
