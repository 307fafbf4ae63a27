import AgentClient
import AgentProtocol
import Foundation
import ProcessSupport
import SoftHSMSupport
import Testing

@Suite("Access rules in the configuration")
struct AccessRuleTests {
    @Test("access test explains a decision and names the rule")
    func explanation() async throws {
        try await Installation.with { site in
            try site.write(
                access: """
                    - { user: root, allow: [health] }
                    - user: daemon
                      allow: [sign]
                      issuers: [prod]
                      subjects: ["pay:*"]
                      audiences: [sts.amazonaws.com]
                      maxLifetime: 1h
                    - { user: daemon, allow: [sign], issuers: [prod] }
                    - { user: nobody, allow: [sign] }
                    - { group: nogroup, allow: [sign] }
                    """)
            func test(_ arguments: String...) async throws -> Programs.Outcome {
                try await Programs.run("privyseald", ["access", "test", "--config", site.agentConfiguration] + arguments)
            }
            let sign = ["--user", "daemon", "--method", "sign"]
            let allowed = try await test(
                sign[0], sign[1], sign[2], sign[3], "--issuer", "prod", "--subject", "pay:api", "--audience", "sts.amazonaws.com")
            #expect(allowed.status == 0 && allowed.output.contains("allowed by access rule 2 (line 7)"), "\(allowed.output)")
            #expect(allowed.output.contains("warning: access rule 3 (line 13) is never reached"), "\(allowed.output)")
            let subject = try await test(
                sign[0], sign[1], sign[2], sign[3], "--issuer", "prod", "--subject", "shop", "--audience", "sts.amazonaws.com")
            #expect(subject.status == 1 && subject.output.contains("denied by access rule 2"), "\(subject.output)")
            let long = try await test(
                sign[0], sign[1], sign[2], sign[3], "--issuer", "prod", "--subject", "pay:api", "--audience",
                "sts.amazonaws.com", "--lifetime", "2h")
            #expect(long.status == 1 && long.output.contains("7200 s"), "\(long.output)")
            let none = try await test("--user", "daemon", "--method", "rotate", "--issuer", "prod")
            #expect(none.status == 1 && none.output.contains("no rule matches"), "\(none.output)")
            #expect(try await test("--user", "daemon", "--method", "frobnicate").status == 64)
            // Those who stand for everybody of other user namespaces.
            for (rule, stranger) in [("4 (line 14)", "uid 65534"), ("5 (line 15)", "gid 65534")] {
                #expect(
                    allowed.output.contains("access rule \(rule) is never reached: it is for \(stranger)"), "\(allowed.output)")
            }
            #expect(try await test("--user", "nobody", "--method", "sign", "--issuer", "prod").status == 1)
        }
    }

    @Test(
        "the overflow uid is refused whatever the rules say, and a uid that is a part of its number is not",
        .enabled(if: getuid() == 0, "only root can call as somebody else"))
    func overflowUID() async throws {
        try await Installation.with { site in
            let uid = try String(contentsOfFile: "/proc/sys/kernel/overflowuid", encoding: .utf8)
                .trimmingCharacters(in: .newlines)
            let part = try #require(uid.first.map(String.init))
            try site.write(
                access: """
                    - { user: "\(uid)", allow: [health] }
                    - { user: "\(part)", allow: [health] }
                    - { user: root, allow: ["*"] }
                    """, socketMode: "0666")
            // For others to come to the socket.
            try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: site.directory)
            try await site.startAgent()
            #expect(try await site.ask("health", as: uid).contains("PERMISSION_DENIED"))
            let answer = try await site.ask("health", as: part)
            #expect(answer.contains("\"result\""), "\(answer)")
        }
    }

    @Test("rules are read again without dropping a connection, and ones that do not load leave the old ones in force")
    func reload() async throws {
        try await Installation.with { site in
            let me = "\(getuid())"
            try site.write(access: "- { user: \"\(me)\", allow: [\"*\"] }")
            let agent = try await site.startAgent()
            let client = try await site.connect()
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            try site.write(access: "- { user: \"\(me)\", allow: [health, reload, issuer-list], issuers: [other] }")
            // A rule about some issuers says nothing of the whole agent, so this is the last reload by the client.
            _ = try await site.output("call", "reload")
            #expect(try await site.output("issuer", "list", "-o", "tsv") == "")
            #expect(try await site.privyseal("issuer", "show", "demo").errors.contains("may not call"))
            try site.write(access: "- { user: \"\(me)\", allow: [] }")
            kill(agent.process.processIdentifier, SIGHUP)
            #expect(await poll("the refusal") { agent.text.contains("the old one stays in force") })
            #expect(try await site.privyseal("issuer", "show", "demo").errors.contains("may not call"))
            try site.write(access: "- { user: \"\(me)\", allow: [\"*\"] }")
            kill(agent.process.processIdentifier, SIGHUP)
            #expect(await poll("the new rules") { try await site.privyseal("issuer", "show", "demo").status == 0 })
            _ = try await client.call(VersionParameters())
            await client.close()
            #expect(await agent.end() == 0)
        }
    }
}

extension Installation {
    /// Writes the configuration with an access section, whose first rule stands in line 6.
    func write(access: String, socketMode: String = "0600") throws {
        try writeAgentConfiguration(replacing: ["\"0600\"": "\"\(socketMode)\""])
        let text = try String(contentsOfFile: agentConfiguration, encoding: .utf8)
        try (text + "\naccess:\n" + access + "\n").write(toFile: agentConfiguration, atomically: true, encoding: .utf8)
    }

    /// The reply line to a method without parameters, called by a process of another user.
    fileprivate func ask(_ method: String, as uid: String) async throws -> String {
        let script = """
            import os, socket, sys
            os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.connect(sys.argv[2])
            s.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "%s"}\\n' % sys.argv[3].encode())
            print(s.makefile().readline())
            """
        let outcome = try await Programs.run(at: Launcher.python, ["-c", script, uid, socket, method])
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome.output
    }
}
