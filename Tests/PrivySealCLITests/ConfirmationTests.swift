import AgentProtocol
import Testing

@testable import privyseal

@Suite("dangerous commands")
struct ConfirmationTests {
    static func agent(revoking: Bool = false, enabled: Bool = true) -> ScriptedSession {
        let rotation: ScriptedSession.Answer = { params in
            let dryRun = params?["dryRun"]?.bool ?? false
            return try JSONValue(
                encoding: Samples.rotation(dryRun: dryRun, revoking: revoking, generation: dryRun ? 3 : 4))
        }
        return ScriptedSession([
            .rotate: rotation, .revokeKey: rotation,
            .issuerStatus: { _ in try JSONValue(encoding: Samples.issuer(enabled: enabled, generation: 7)) },
            .issuerUpdate: { _ in
                try JSONValue(encoding: IssuerChangeResult(issuer: Samples.issuer(enabled: !enabled), warnings: []))
            },
            .issuerDelete: { _ in
                try JSONValue(encoding: IssuerDeleteResult(issuer: "demo", revoked: ["kid-2"], exposureSeconds: 300))
            },
        ])
    }

    @Test(
        "without a terminal and without --yes they refuse, and change nothing",
        arguments: [
            "rotate demo", "issuer rotate-signing-keys demo", "keys revoke kid-2", "issuer delete demo",
            "issuer update demo --new-issuer-url", "rotate demo --when-safe",
            "issuer update demo --disable-oidc-issuer", "issuer update demo --disable-oidc-issuer --immediately",
        ])
    func refuse(line: String) async {
        let agent = Self.agent()
        let outcome = await CommandLineRun(agent: agent)(line)
        #expect(outcome.status == 1)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.hasSuffix("nothing was changed\nhint: add --yes when you are sure\n"))
        #expect(agent.requests.allSatisfy { $0.hasPrefix("issuer-status") })
    }

    @Test("a no on the terminal changes nothing", arguments: ["rotate demo", "keys revoke k", "issuer delete demo"])
    func answerNo(line: String) async {
        let agent = Self.agent()
        let outcome = await CommandLineRun(agent: agent, typed: "")(line)
        #expect(outcome.status == 1)
        #expect(outcome.errors.hasSuffix("Continue? [y/N] error: not confirmed; nothing was changed\n"))
        #expect(agent.requests.allSatisfy { $0.contains("dryRun") || $0.hasPrefix("issuer-status") })
    }

    @Test("a rotation shows its plan, asks, and carries out that plan")
    func rotate() async {
        let agent = Self.agent()
        let outcome = await CommandLineRun(agent: agent, typed: "y")("rotate demo")
        #expect(
            outcome.errors == """
                Plan for issuer demo, made for generation 3:
                  Becomes active:   kid-3 (RS256, the standby key)
                  Retires:          kid-2, valid until 2026-11-25T10:00:00Z (in 24h)
                  New standby key:  published afterwards
                JWTs already issued keep verifying until they expire.
                Continue? [y/N]\u{20}
                """)
        #expect(
            outcome.output == """
                Rotated issuer demo: generation 4.
                  Active:    kid-3 (RS256, the standby key)
                  Retiring:  kid-2, valid until 2026-11-25T10:00:00Z (in 24h)

                """)
        #expect(
            agent.requests == [
                #"rotate {"issuer":"demo","dryRun":true}"#, #"rotate {"issuer":"demo","ifGeneration":3}"#,
            ])
    }

    @Test("with --yes nothing is asked, and the generation is sent all the same")
    func yes() async {
        let agent = Self.agent(revoking: true)
        let outcome = await CommandLineRun(agent: agent)("issuer rotate-signing-keys demo --yes")
        #expect(outcome.status == 0)
        #expect(outcome.errors == "warning: cached keys can mislead for 300 s\n")
        #expect(
            outcome.output == """
                Rotated issuer demo: generation 4.
                  Active:       kid-4 (RS256, a new key)
                  Retiring:     kid-2, valid until 2026-11-25T10:00:00Z (in 24h)
                  Revoked:      kid-1
                  Revoked:      kid-3
                  Publication:  published by every frontend (2) before it signed
                  Cached keys:  may be out of date for up to 5m

                """)
        #expect(agent.requests.last == #"rotate {"issuer":"demo","ifGeneration":3}"#)
    }

    @Test("a dry run needs no confirmation and sends nothing but the question")
    func dryRun() async {
        let agent = Self.agent(revoking: true)
        let outcome = await CommandLineRun(agent: agent)("rotate demo --dry-run")
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                Plan for issuer demo, made for generation 3:
                  Becomes active:   a new key (RS256)
                  Retires:          kid-2, valid until 2026-11-25T10:00:00Z (in 24h)
                  Revoked at once:  kid-1
                  Revoked at once:  kid-3
                  New standby key:  published afterwards
                  Cached keys:      may be out of date for up to 5m
                Dry run: nothing was changed.

                """)
        #expect(agent.requests == [#"rotate {"issuer":"demo","dryRun":true}"#])
    }

    @Test("a rotation that waits says which key signs until when, and that it is the agent that waits")
    func whenSafe() async {
        let agent = ScriptedSession([
            .rotate: { params in
                let dryRun = params?["dryRun"]?.bool ?? false
                return try JSONValue(encoding: Samples.rotation(dryRun: dryRun, waiting: true, generation: dryRun ? 3 : 4))
            }
        ])
        let outcome = await CommandLineRun(agent: agent, typed: "y")("rotate demo --when-safe --no-revoke")
        #expect(
            outcome.errors == """
                Plan for issuer demo, made for generation 3:
                  Becomes active:    kid-3 (RS256, the standby key)
                  Signs from:        2026-11-24T10:00:20Z (in 20s)
                  Signs until then:  kid-2
                  Retires:           kid-2, valid until 2026-11-25T10:00:00Z (in 24h)
                  New standby key:   published afterwards
                JWTs already issued keep verifying until they expire.
                Continue? [y/N]\u{20}
                """)
        #expect(
            outcome.output == """
                The rotation of issuer demo waits: generation 4.
                  Active:          kid-2
                  Becomes active:  kid-3 (RS256, the standby key)
                  Signs from:      2026-11-24T10:00:20Z (in 20s); the agent sees to it
                  Retires:         kid-2, valid until 2026-11-25T10:00:00Z (in 24h)

                """)
        #expect(
            agent.requests == [
                #"rotate {"issuer":"demo","dryRun":true,"whenSafe":true,"noRevoke":true}"#,
                #"rotate {"issuer":"demo","ifGeneration":3,"whenSafe":true,"noRevoke":true}"#,
            ])
    }

    @Test("a rotation that waits is given up by a request of its own")
    func cancel() async {
        let agent = Self.agent()
        #expect(await CommandLineRun(agent: agent)("rotate demo --cancel --when-safe").status == 2)
        #expect(agent.requests.isEmpty)
        let outcome = await CommandLineRun(agent: agent)("rotate demo --cancel -y")
        #expect(outcome.output.hasPrefix("The rotation of issuer demo waits no more: generation 4.\n"))
        #expect(agent.requests.last == #"rotate {"issuer":"demo","ifGeneration":3,"cancel":true}"#)
    }

    @Test("a new URL is asked about like every change of iss, and is one request")
    func newIssuerURL() async {
        let agent = Self.agent()
        let outcome = await CommandLineRun(agent: agent, typed: "y")("issuer update demo --new-issuer-url")
        #expect(
            outcome.errors.hasPrefix(
                """
                This changes the iss of every new JWT of issuer demo:
                  from  https://oidc.example.com/t/11/
                  to    a fresh URL

                """))
        #expect(outcome.errors.contains("keep verifying under the former URL for 24h"))
        #expect(agent.requests.last == #"issuer-update {"issuer":"demo","newIssuerURL":true,"ifGeneration":7}"#)
        #expect(await CommandLineRun(agent: agent)("issuer update demo --new-issuer-url --enable-oidc-issuer").status == 2)
    }

    @Test("a warning shown with the plan is not repeated after it")
    func warnedOnce() async {
        let outcome = await CommandLineRun(agent: Self.agent(revoking: true), typed: "yes")("keys revoke kid-1")
        #expect(outcome.errors.split(separator: "warning: cached keys can mislead").count == 2)
        #expect(outcome.output.hasPrefix("Revoked key kid-1 of issuer demo: generation 4.\n"))
    }

    @Test("a raced rotation is a conflict")
    func conflict() async {
        let agent = ScriptedSession([
            .rotate: { params in
                guard params?["dryRun"] != nil else { throw ProtocolError(.conflict, "demo is at generation 4, not 3") }
                return try JSONValue(encoding: Samples.rotation(dryRun: true))
            }
        ])
        let outcome = await CommandLineRun(agent: agent)("rotate demo -y")
        #expect(outcome.status == 1)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("error: demo is at generation 4, not 3\nhint: someone changed it meanwhile"))
    }

    @Test("disabling the profile names the consequence and asks")
    func disable() async {
        let agent = Self.agent()
        let outcome = await CommandLineRun(agent: agent, typed: "y")("issuer update demo --disable-oidc-issuer")
        #expect(
            outcome.errors == """
                This changes the iss of every new JWT of issuer demo:
                  from  https://oidc.example.com/t/11/
                  to    https://kubernetes.default.svc.cluster.local
                Relying parties must be told the new issuer, and workloads may need a restart to get new JWTs.
                JWTs issued so far keep verifying under the former URL for 24h.
                Continue? [y/N]\u{20}
                """)
        #expect(agent.requests.last == #"issuer-update {"issuer":"demo","enableOIDCIssuer":false,"ifGeneration":7}"#)
    }

    @Test("--immediately is put more strongly")
    func immediately() async {
        let outcome = await CommandLineRun(agent: Self.agent(), typed: "n")(
            "issuer update demo --disable-oidc-issuer --immediately")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("IMMEDIATELY: every former URL of the issuer is dropped at once."))
    }

    @Test(
        "an update that leaves iss as it is asks nothing",
        arguments: [
            ("--enable-oidc-issuer", #""enableOIDCIssuer":true"#), ("--max-lifetime 2h", #""maximumLifetimeSeconds":7200"#),
            ("--rotate-every off", #""rotateEverySeconds":0"#), ("--default-issuer https://d/", #""defaultIssuer":"https://d/""#),
            ("--standby --if-generation 5", #""standby":true,"ifGeneration":5"#),
        ])
    func harmless(options: String, member: String) async {
        let agent = Self.agent()
        let outcome = await CommandLineRun(agent: agent)("issuer update demo \(options)")
        #expect(outcome.status == 0)
        #expect(outcome.errors.isEmpty)
        #expect(agent.requests.last == #"issuer-update {"issuer":"demo",\#(member)}"#)
    }

    @Test("another default issuer is asked about while it is in use")
    func defaultIssuer() async {
        let agent = Self.agent(enabled: false)
        #expect(await CommandLineRun(agent: agent)("issuer update demo --default-issuer https://d/").status == 1)
        #expect(await CommandLineRun(agent: agent)("issuer update demo --enable-oidc-issuer").status == 1)
        #expect(await CommandLineRun(agent: agent)("issuer update demo --default-issuer https://d/ -y").status == 0)
        #expect(
            agent.requests.last == #"issuer-update {"issuer":"demo","defaultIssuer":"https://d/","ifGeneration":7}"#)
    }

    @Test("deleting says what is lost, and deletes the generation that was shown")
    func delete() async {
        let agent = Self.agent()
        let outcome = await CommandLineRun(agent: agent, typed: "y")("issuer delete demo")
        #expect(outcome.status == 0)
        #expect(outcome.output == "Deleted issuer demo.\nRevoked:  kid-2\n")
        #expect(outcome.errors.hasPrefix("This deletes issuer demo (https://oidc.example.com/t/11/) for good:\n"))
        #expect(outcome.errors.hasSuffix("warning: a relying party with cached public keys can accept its JWTs for up to 5m\n"))
        #expect(agent.requests.last == #"issuer-delete {"issuer":"demo","ifGeneration":7}"#)
    }
}
