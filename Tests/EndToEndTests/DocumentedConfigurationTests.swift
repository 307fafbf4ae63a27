import AgentClient
import AgentProtocol
import Foundation
import ProcessSupport
import SoftHSMSupport
import TestSupport
import Testing

/// What the pages print as configuration, run as they say: each daemon as a user of its own, with the access rules of the page.
@Suite("The documented configurations")
struct DocumentedConfigurationTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    /// Users and groups that nobody has.
    private static let (agent, frontend, payments, clients, operators) = (64_101, 64_102, 64_103, 64_104, 64_105)

    @Test(
        "let the frontend follow the agent without a word of complaint, and have every rotation published",
        .enabled(if: geteuid() == 0, "users cannot be told apart but by root"), arguments: ["README.md", "docs/operations.md"])
    func follow(page: String) async throws {
        let text = try String(contentsOfFile: "\(Self.root)/\(page)", encoding: .utf8)
        let blocks = text.components(separatedBy: "```yaml\n").dropFirst().compactMap { $0.components(separatedBy: "```").first }
        let agentFile = try #require(blocks.first { $0.contains("\nstore:") })
        let issuerFile = try #require(blocks.first { $0.hasPrefix("agent:") && $0.contains("cache:") })
        try await Installation.with { site in
            try write(agentFile, issuerFile, site)
            _ = try await run(
                site, Self.agent, ["\(Programs.directory)/privyseald", "init", "--config", site.agentConfiguration]
            )
            .output(of: ["privyseald", "init"])
            let agent = try site.start(
                arguments(Self.agent, ["\(Programs.directory)/privyseald", "serve", "--config", site.agentConfiguration]))
            let socket = site.directory + "/run/agent.sock"
            try #require(await site.agentAnswers(on: socket), "\(agent.text)")
            let issuer = try site.start(
                arguments(
                    Self.frontend, groups: [Self.clients],
                    ["\(Programs.directory)/privyseal-issuer", "serve", "--config", site.issuerConfiguration]))
            try #require(await poll("the frontend") { try await site.get("/readyz").status == 200 }, "\(issuer.text)")

            // Three signs of life, of which a refused one was once taken for the agent's end.
            try await Task.sleep(for: .seconds(30))
            let operators = try await AgentConnection.connect(socketPath: socket)
            let created = try await operators.call(
                IssuerCreateParameters(issuer: "prod", enableOIDCIssuer: true, settings: .init(algorithm: "ES256")))
            #expect(created.warnings == [])
            for _ in 1...3 {
                let rotation = try await operators.call(RotateParameters(issuer: "prod"))
                guard let publication = rotation.publication else { continue }
                #expect(publication == PublicationView(outcome: "published", published: 1, watching: 1))
            }
            await operators.close()
            #expect(!issuer.text.contains("warning") && !issuer.text.contains("error"), "\(issuer.text)")
            let records = try String(contentsOfFile: site.directory + "/log/audit.log", encoding: .utf8)
            #expect(!records.contains(#""outcome":"denied""#) && !records.contains("PERMISSION_DENIED"), "\(records)")
            #expect(await agent.end() == 0)
            #expect(await issuer.end() == 0)
        }
    }

    /// The files of a page, with this installation's places, users and token in place of a machine's.
    private func write(_ agentFile: String, _ issuerFile: String, _ site: Installation) throws {
        let files = FileManager.default
        for (name, owner, mode) in [
            ("run", Self.agent, 0o755), ("lib", Self.agent, 0o700), ("log", Self.agent, 0o750), ("cache", Self.frontend, 0o750),
        ] {
            let path = "\(site.directory)/\(name)"
            try files.createDirectory(atPath: path, withIntermediateDirectories: false)
            try files.setAttributes(
                [.posixPermissions: mode, .ownerAccountID: owner, .groupOwnerAccountID: owner], ofItemAtPath: path)
        }
        let replacements = [
            ("/run/privyseal/", "\(site.directory)/run/"), ("/var/lib/privyseal-issuer", "\(site.directory)/cache"),
            ("/var/lib/privyseal/", "\(site.directory)/lib/"), ("/var/log/privyseal/", "\(site.directory)/log/"),
            ("/etc/privyseal/pin", site.token.pinFile), ("pinCredential: pin", "pinFile: \(site.token.pinFile)"),
            ("/usr/lib/softhsm/libsofthsm2.so", site.token.modulePath), ("pkcs11:token=privyseal\"", "\(site.token.tokenURI)\""),
            ("user: privyseal-issuer", "user: \(Self.frontend)"), ("user: payments", "user: \(Self.payments)"),
            // Whoever runs this is the operator.
            ("group: privyseal-operators, allow", "user: root, allow"),
            // A name is of an account of the machine.
            (", group: privyseal-clients", ""), (", group: privyseal", ""), ("mode: \"0660\"", "mode: \"0666\""),
            ("port: 8080", "port: \(site.port)"), ("port: 8081", "port: \(try FreePort.next())"),
            // Plain HTTP has the same documents.
            ("tls:                                    # optional; plain HTTP without\n", ""),
            ("  { certificate: /etc/privyseal/tls/fullchain.pem, key: /etc/privyseal/tls/key.pem }\n", ""),
        ]
        for (file, path) in [(agentFile, site.agentConfiguration), (issuerFile, site.issuerConfiguration)] {
            let text = replacements.reduce(file) { $0.replacing($1.0, with: $1.1) }
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            try files.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        }
        // The token is the agent's.
        try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: site.directory)
        for name in ["tokens", "pin", "conf"] {
            let path = "\(site.directory)/\(name)"
            for place in [path] + (files.subpaths(atPath: path) ?? []).map({ "\(path)/\($0)" }) {
                try files.setAttributes([.ownerAccountID: Self.agent, .groupOwnerAccountID: Self.agent], ofItemAtPath: place)
            }
        }
    }

    /// What Python makes of it: a program run by a user of its own, whose groups are these.
    private func arguments(_ user: Int, groups: [Int] = [], _ command: [String]) -> [String] {
        let script =
            "import os, sys; os.setgroups(\(groups)); os.setgid(\(user)); os.setuid(\(user)); os.execv(sys.argv[1], sys.argv[1:])"
        return ["-c", script] + command
    }

    private func run(_ site: Installation, _ user: Int, _ command: [String]) async throws -> Programs.Outcome {
        try await Programs.run(at: Launcher.python, arguments(user, command))
    }
}
