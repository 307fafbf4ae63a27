import AgentClient
import AgentProtocol
import Foundation
import ProcessSupport
import ProtocolSupport
import TLSSupport
import TestSupport
import Testing

@Suite("A reload")
struct ReloadTests {
    private static let unitDirectory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("systemd").path

    /// Runs what a unit runs for `systemctl reload`, as far as the first command that fails, as systemd does.
    private func reload(_ service: String, configuration: String, _ daemon: Daemon) async throws -> Programs.Outcome {
        let unit = try String(contentsOfFile: "\(Self.unitDirectory)/\(service).service", encoding: .utf8)
        let commands = unit.split(separator: "\n").filter { $0.hasPrefix("ExecReload=") }.map { line in
            line.dropFirst("ExecReload=".count).split(separator: " ").map { word in
                word.hasPrefix("/etc/privyseal/")
                    ? configuration : word == "$MAINPID" ? "\(daemon.process.processIdentifier)" : String(word)
            }
        }
        #expect(commands.count == 2, "\(unit)")
        var outcome: Programs.Outcome?
        for command in commands where outcome.map({ $0.status == 0 }) ?? true {
            let program = command[0].replacing("/usr/local/bin/", with: Programs.directory + "/")
            outcome = try await Programs.run(at: program, Array(command.dropFirst()))
        }
        return try #require(outcome)
    }

    private func lastReload(_ client: AgentConnection) async throws -> String? {
        try await client.call(MetricsParameters()).text.split(separator: "\n")
            .first { $0.hasPrefix("privyseal_last_reload_successful ") }?.split(separator: " ").last.map(String.init)
    }

    @Test("of the agent that fails fails for systemctl, in health with the reason, and in the metrics, until one succeeds")
    func agent() async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            let client = try await site.connect()
            #expect(try await reload("privyseald", configuration: site.agentConfiguration, agent).status == 0)
            #expect(await poll("the reload") { agent.text.contains("read the configuration again") })
            #expect(try await client.call(HealthParameters()).status == "ok")
            #expect(try await lastReload(client) == "1")

            try site.writeAgentConfiguration(replacing: ["publicBaseURL: ": "publicBaseUrl: "])
            let refused = try await reload("privyseald", configuration: site.agentConfiguration, agent)
            #expect(refused.status == 78, "\(refused.errors)")
            #expect(refused.errors.contains("publicBaseURL"), "\(refused.errors)")
            #expect(try await client.call(HealthParameters()).status == "ok", "nothing was reloaded")

            // Somebody who sends the signal without asking first.
            kill(agent.process.processIdentifier, SIGHUP)
            #expect(await poll("health") { try await client.call(HealthParameters()).status == "degraded" })
            let problem = try #require(try await client.call(HealthParameters()).problems.first)
            #expect(problem.component == "configuration")
            #expect(problem.message.contains("agent.yaml:4") && problem.message.contains("publicBaseUrl"), "\(problem.message)")
            #expect(problem.hint?.hasSuffix("then reload it again") == true)
            #expect(try await lastReload(client) == "0")
            #expect(
                try await client.call(MetricsParameters()).text.contains("\nprivyseal_reload_failures_total 1\n"))
            let documented = try #require(
                try ProtocolDocument().blocks.first { $0.section == .reload && $0.value["error"] != nil }?.value["error"])
            do {
                _ = try await client.call(ReloadParameters())
                Issue.record("it was reloaded")
            } catch let error as ProtocolError {
                // Where the file is, is another place each time.
                let sent = String(decoding: error.json.sorted.encoded(), as: UTF8.self)
                    .replacing(site.agentConfiguration, with: "/etc/privyseal/agent.yaml")
                #expect(sent == String(decoding: documented.sorted.encoded(), as: UTF8.self))
            }

            try site.writeAgentConfiguration()
            #expect(try await reload("privyseald", configuration: site.agentConfiguration, agent).status == 0)
            #expect(await poll("health") { try await client.call(HealthParameters()).status == "ok" })
            #expect(try await lastReload(client) == "1")
            await client.close()
        }
    }

    @Test("of the frontend's certificate that fails fails for systemctl, in readiness and in the metrics, until one succeeds")
    func frontend() async throws {
        try await Installation.with { site in
            let made = try await TestCertificate.make(in: site.directory)
            let admin = try FreePort.next()
            try site.writeIssuerConfiguration(tls: made)
            let text = try String(contentsOfFile: site.issuerConfiguration, encoding: .utf8)
            try (text + "admin: { host: 127.0.0.1, port: \(admin) }\n")
                .write(toFile: site.issuerConfiguration, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: site.issuerConfiguration)
            try await site.startAgent()
            let frontend = try await site.startFrontend(health: ["--cacert", made.certificate])
            func metrics() async throws -> String { try await site.get("http://127.0.0.1:\(admin)/metrics").body }
            func readiness() async throws -> String { try await site.get("http://127.0.0.1:\(admin)/readyz").body }
            #expect(await poll("readiness") { try await readiness() == "ready\n" })
            #expect(try await metrics().contains("\nprivyseal_issuer_last_reload_successful 1\n"))
            #expect(try await metrics().contains("\nprivyseal_issuer_certificate_end_timestamp_seconds "))
            #expect(try await site.get("/metrics", ["--cacert", made.certificate]).status == 404)

            let certificate = try Data(contentsOf: URL(fileURLWithPath: made.certificate))
            try "nonsense".write(toFile: made.certificate, atomically: true, encoding: .utf8)
            let refused = try await reload("privyseal-issuer", configuration: site.issuerConfiguration, frontend)
            #expect(refused.status == 1 && refused.errors.contains(made.certificate), "\(refused.errors)")
            kill(frontend.process.processIdentifier, SIGHUP)
            #expect(await poll("the metric") { try await metrics().contains("\nprivyseal_issuer_last_reload_successful 0\n") })
            let said = try await readiness()
            #expect(said.hasPrefix("ready; the TLS certificate on disk cannot be used"), "\(said)")
            #expect(!said.contains(site.directory))

            try certificate.write(to: URL(fileURLWithPath: made.certificate))
            #expect(try await reload("privyseal-issuer", configuration: site.issuerConfiguration, frontend).status == 0)
            #expect(await poll("readiness") { try await readiness() == "ready\n" })
            #expect(try await metrics().contains("\nprivyseal_issuer_last_reload_successful 1\n"))
        }
    }
}
