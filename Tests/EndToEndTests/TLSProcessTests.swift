import Foundation
import ProcessSupport
import TLSSupport
import Testing

@Suite("The frontend with TLS as a process")
struct TLSProcessTests {
    @Test("curl that knows the certificate gets the agent's documents; one that does not, gets none")
    func documents() async throws {
        try await Installation.with { site in
            let made = try await TestCertificate.make(in: site.directory)
            try site.writeIssuerConfiguration(tls: made)
            try await site.startAgent()
            // No standby key, which would join the set while it is looked at.
            _ = try await site.output(
                "issuer", "create", "demo", "--enable-oidc-issuer", "--no-standby", "--algorithm", "ES256")
            let url = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            try await site.startFrontend(health: ["--cacert", made.certificate])
            let jwks = url.replacing("http://", with: "https://") + "openid/v1/jwks"
            #expect(await poll("the key set") { try await site.get(jwks, ["--cacert", made.certificate]).status == 200 })
            #expect(try await site.get(jwks, ["--cacert", made.certificate]).body == (try await site.output("jwks", "demo")))
            #expect(try await site.get(jwks).status == 0)
        }
    }

    @Test("jwt verify takes an issuer's certificate where its authority is named, and says where it is not")
    func verify() async throws {
        try await Installation.with { site in
            let authority = try await TestCertificate.make(in: site.directory, "authority")
            let made = try await TestCertificate.make(in: site.directory, "server", .rsa, by: authority)
            try site.writeIssuerConfiguration(tls: made)
            try site.writeAgentConfiguration(replacing: ["http://127": "https://127"])
            try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--enable-oidc-issuer", "--algorithm", "ES256")
            let url = try await site.output("issuer", "show", "demo", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            try await site.startFrontend(health: ["--cacert", authority.certificate])
            let jwt = try await site.output("jwt", "issue", "demo", "--subject", "s", "--audience", "a")
            func verify(_ options: [String], _ environment: [String: String] = [:]) async throws -> Programs.Outcome {
                try await Programs.run(
                    "privyseal", ["jwt", "verify", "--issuer-url", url] + options, environment: environment, input: jwt)
            }
            #expect(await poll("the documents") { try await verify(["--ca-file", authority.certificate]).status == 0 })
            #expect(try await verify([], ["SSL_CERT_FILE": authority.certificate]).status == 0)
            let stranger = try await verify([])
            #expect(stranger.status == 1)
            #expect(stranger.errors.contains("is not accepted\nhint: "), "\(stranger.errors)")
            #expect(stranger.errors.contains("--ca-file"), "\(stranger.errors)")
        }
    }

    /// Keeps a connection open, renews the certificate, sends SIGHUP, waits until new connections see it, and goes on with the
    /// old one.
    private static let renewal = """
        import http.client, os, shutil, signal, ssl, sys, time
        port, pid, old, new = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
        def connect(ca):
            c = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=ssl.create_default_context(cafile=ca))
            c.connect()
            return c
        def get(c):
            c.request("GET", "/healthz")
            return c.getresponse().read()
        kept = connect(old + ".pem")
        number = kept.sock.fileno()
        assert get(kept) == b"ok\\n"
        shutil.copy(old + ".pem", old + ".was")
        for kind in (".pem", ".key"):
            shutil.copy(new + kind, old + ".tmp")
            os.chmod(old + ".tmp", 0o600)
            os.rename(old + ".tmp", old + kind)
        os.kill(pid, signal.SIGHUP)
        end = time.time() + 100
        while True:
            try:
                assert get(connect(new + ".pem")) == b"ok\\n"
                break
            except ssl.SSLCertVerificationError:
                assert time.time() < end, "the renewed certificate was not taken"
                time.sleep(0.02)
        assert get(kept) == b"ok\\n" and kept.sock.fileno() == number
        try:
            connect(old + ".was")
            sys.exit("the old certificate is still served")
        except ssl.SSLCertVerificationError:
            print("ok")
        """

    @Test("SIGHUP takes a renewed certificate while an open connection goes on")
    func renewed() async throws {
        try await Installation.with { site in
            let made = try await TestCertificate.make(in: site.directory)
            _ = try await TestCertificate.make(in: site.directory, "renewed", .rsa)
            try site.writeIssuerConfiguration(tls: made)
            let frontend = try await site.startFrontend(health: ["--cacert", made.certificate])
            #expect(frontend.text.contains("listening on https://127.0.0.1:\(site.port)"))
            let outcome = try await Programs.run(
                at: Launcher.python,
                [
                    "-c", Self.renewal, "\(site.port)", "\(frontend.process.processIdentifier)", site.directory + "/server",
                    site.directory + "/renewed",
                ])
            #expect(outcome.output == "ok\n", "\(outcome.errors)\(frontend.text)")
            #expect(await poll("the log") { frontend.text.contains("a renewed TLS certificate is in force") })

            try "nonsense".write(toFile: made.certificate, atomically: true, encoding: .utf8)
            kill(frontend.process.processIdentifier, SIGHUP)
            #expect(await poll("the log") { frontend.text.contains("the TLS certificate cannot be renewed") })
            #expect(try await site.get("/healthz", ["--cacert", site.directory + "/renewed.pem"]).status == 200)
            #expect(await frontend.end() == 0)
        }
    }

    @Test("SIGHUP does not end a frontend without TLS")
    func plain() async throws {
        try await Installation.with { site in
            let frontend = try await site.startFrontend()
            kill(frontend.process.processIdentifier, SIGHUP)
            #expect(await poll("the log") { frontend.text.contains("there is no TLS certificate to read again") })
            #expect(try await site.get("/healthz").status == 200)
        }
    }

    @Test("serve and check end with one line of what and one of what to do when the certificate cannot be used")
    func refused() async throws {
        try await Installation.with { site in
            let made = try await TestCertificate.make(in: site.directory)
            let other = try await TestCertificate.make(in: site.directory, "other")
            for command in [["serve"], ["check"], ["check", "--start"]] {
                func errors() async throws -> [Substring] {
                    let outcome = try await Programs.run(
                        "privyseal-issuer", command + ["--config", site.issuerConfiguration])
                    #expect(outcome.status == 1)
                    return outcome.errors.split(separator: "\n")
                }
                try site.writeIssuerConfiguration(tls: TestCertificate(certificate: made.certificate, key: other.key))
                #expect(
                    try await errors() == [
                        "error: the private key \(other.key) does not belong to the first certificate in \(made.certificate)",
                        "hint: name the key that the certificate was made for; the server's own certificate comes first in its file",
                    ])
                try site.writeIssuerConfiguration(tls: made)
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: made.key)
                let exposed = try await errors()
                #expect(exposed.first?.contains("\(made.key) has mode 0644") == true, "\(exposed)")
                #expect(exposed.last?.hasPrefix("hint: chmod 0600 \(made.key)") == true)
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: made.key)
            }
        }
    }

    @Test("check says that it would serve with TLS, and warns of a certificate near its end")
    func check() async throws {
        try await Installation.with { site in
            for (days, warns) in [(90, false), (5, true)] {
                try site.writeIssuerConfiguration(tls: await TestCertificate.make(in: site.directory, days: days))
                let outcome = try await Programs.run(
                    "privyseal-issuer", ["check", "--start", "--config", site.issuerConfiguration])
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(outcome.output.contains("warning: the TLS certificate is valid until ") == warns)
                #expect(outcome.output.hasSuffix("ok: would listen on 127.0.0.1, port \(site.port), TLS\n"))
            }
        }
    }

    @Test(
        "what is wrong in tls is refused with file, line and column",
        arguments: [
            ("{ certificate: fullchain.pem, key: /k }", "4:21: tls.certificate is not an absolute path: \"fullchain.pem\""),
            ("{ certificate: /c, key: k }", "4:30: tls.key is not an absolute path: \"k\""),
            ("{ certificate: /c, kye: /k }", "4:25: unknown key \"kye\"; did you mean \"key\"?"),
            ("{ certificate: /c }", "4:6: \"tls.key\" is missing"), ("", "4:5: tls has no value"),
        ])
    func configuration(text: String, message: String) async throws {
        let file = try TemporaryFile()
        try """
        agent: /run/agent.sock
        listen: { host: 127.0.0.1, port: 0 }
        cache: /tmp
        tls: \(text)

        """.write(toFile: file.path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
        let outcome = try await Programs.run("privyseal-issuer", ["check", "--config", file.path])
        #expect(outcome.status == 78)
        #expect(outcome.errors.hasPrefix("error: \(file.path):\(message)\n"), "\(outcome.errors)")
    }
}
