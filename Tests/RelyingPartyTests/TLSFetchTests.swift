import Foundation
import RelyingParty
import TLSSupport
import TestSupport
import Testing

@Suite("discovery over TLS", .enabled(if: LoopbackServer.isAvailable, "needs python3 for a server to talk to"))
struct TLSFetchTests {
    private func refusal(
        of url: String, _ authorities: CertificateAuthorities = .machine, _ code: VerificationError.Code = .certificateUntrusted
    ) async throws -> VerificationError {
        try #require(
            await #expect(throws: failure(code)) { try await DiscoveryFetcher(authorities: authorities).issuer(url) })
    }

    @Test("a server of a private authority is taken where that authority is named, in a file or in a directory")
    func privateAuthority() async throws {
        try await withTemporaryDirectory { directory in
            let authority = try await TestCertificate.make(in: directory, "authority", .rsa)
            let other = try await TestCertificate.make(in: directory, "other")
            let server = try await TestCertificate.make(in: directory, "server", by: authority)
            // Among files that are none, by whatever name.
            try FileManager.default.createDirectory(atPath: directory + "/certificates", withIntermediateDirectories: true)
            for (file, name) in [(other.certificate, "a"), (authority.certificate, "b.crt"), (authority.key, "c")] {
                try FileManager.default.copyItem(atPath: file, toPath: "\(directory)/certificates/\(name)")
            }
            try await LoopbackServer.run(server) { url in
                for authorities in [
                    CertificateAuthorities.named(files: [authority.certificate], directories: []),
                    .named(files: [], directories: ["/nowhere", directory + "/certificates"]),
                    .named(files: [other.certificate], directories: [directory + "/certificates"]),
                ] {
                    let published = try await DiscoveryFetcher(authorities: authorities).issuer(url + "/ok")
                    #expect(published.jwksURI == url + "/ok/jwks")
                }
                // Its fault is not taken for a server that is not there.
                for authorities in [CertificateAuthorities.machine, .named(files: [other.certificate], directories: [])] {
                    let error = try await refusal(of: url + "/ok", authorities)
                    #expect(error.message.hasPrefix("the certificate of 127.0.0.1:"), "\(error.message)")
                    #expect(error.message.contains("valid from 20") && error.hint.contains("--ca-file"), "\(error.message)")
                    #expect(!error.hint.contains("running"))
                }
            }
        }
    }

    @Test("a certificate that has expired, or is for another name, is refused as that")
    func faults() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory)
            let expired = TestCertificate(certificate: directory + "/expired.pem", key: made.key)
            try await TestCertificate.openssl(
                ["x509", "-in", made.certificate, "-signkey", made.key, "-days", "-1", "-out", expired.certificate])
            try await LoopbackServer.run(expired) { url in
                let error = try await refusal(of: url + "/ok", .named(files: [expired.certificate], directories: []))
                #expect(error.message.contains(" to 20") && error.hint.contains("renew"), "\(error.message)")
            }
            let other = try await TestCertificate.make(in: directory, "other", for: "DNS:other.example")
            try await LoopbackServer.run(other) { url in
                let error = try await refusal(of: url + "/ok", .named(files: [other.certificate], directories: []))
                #expect(error.message.hasSuffix(" is for another name"), "\(error.message)")
            }
        }
    }

    @Test("a server that speaks no TLS is unreachable by https, and one that leads from https to http is not followed")
    func noTLS() async throws {
        try await LoopbackServer.run { url in
            let error = try await refusal(of: url.replacing("http:", with: "https:") + "/ok", .machine, .unreachable)
            #expect(error.message.contains("TLS with 127.0.0.1:"), "\(error.message)")
        }
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory)
            try await LoopbackServer.run(made) { url in
                let named = CertificateAuthorities.named(files: [made.certificate], directories: [])
                let error = try await refusal(of: url + "/insecure", named, .httpStatus)
                #expect(error.message.contains("307"))
            }
        }
    }

    @Test("a proxy that the environment names is asked, and not for what it makes an exception of, nor for http")
    func proxy() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory, for: "DNS:issuer.invalid")
            let named = CertificateAuthorities.named(files: [made.certificate], directories: [])
            func ask(_ url: String, _ environment: [String: String]) async throws -> PublishedIssuer {
                try await DiscoveryFetcher(authorities: named, proxies: ProxySettings { environment[$0] }).issuer(url)
            }
            try await LoopbackServer.run(made) { url in
                try await LoopbackServer.proxy(to: url) { proxy in
                    let issuer = "https://issuer.invalid/ok"
                    for environment in [
                        ["https_proxy": proxy], ["HTTPS_PROXY": proxy + "/", "no_proxy": "other.example, nvalid"],
                        ["ALL_PROXY": proxy],
                        ["https_proxy": String(proxy.dropFirst(7)), "http_proxy": "http://127.0.0.1:1"],
                    ] {
                        let published = try await ask(issuer, environment)
                        #expect(published.jwksURI == issuer + "/jwks", "\(environment)")
                    }
                    for exception in ["*", "issuer.invalid", "example.org,invalid", ".invalid", "ISSUER.invalid"] {
                        await #expect(throws: failure(.unreachable), "\(exception)") {
                            try await ask(issuer, ["https_proxy": proxy, "no_proxy": exception])
                        }
                    }
                    // What is wrong with a certificate shows through it as well.
                    let stranger = await #expect(throws: failure(.certificateUntrusted)) {
                        try await DiscoveryFetcher(proxies: ProxySettings { ["https_proxy": proxy][$0] }).issuer(issuer)
                    }
                    #expect(stranger?.message.contains("valid from 20") == true, "\(stranger?.message ?? "")")
                    await #expect(throws: failure(.unreachable)) {
                        try await ask("http://issuer.invalid/ok", ["ALL_PROXY": proxy])
                    }
                }
            }
            await #expect(throws: failure(.proxyInvalid)) {
                try await ask("https://issuer.invalid/ok", ["https_proxy": "socks5://127.0.0.1:1"])
            }
        }
    }

    @Test("authorities that cannot be read are said to be that")
    func unreadable() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory)
            for authorities in [
                CertificateAuthorities.named(files: [directory + "/missing.pem"], directories: []),
                .named(files: [made.key], directories: []), .named(files: [], directories: [directory + "/missing"]),
            ] {
                let error = try await refusal(of: "https://127.0.0.1:1", authorities, .authoritiesUnusable)
                #expect(error.hint.contains("SSL_CERT_"))
            }
        }
    }

    @Test(
        "the option counts before the variables, and the variables before the machine's own",
        arguments: [
            (nil, [:], .machine), (nil, ["SSL_CERT_FILE": "", "SSL_CERT_DIR": ""], .machine),
            ("a", ["SSL_CERT_FILE": "b", "SSL_CERT_DIR": "c"], .named(files: ["a"], directories: [])),
            // A variable of the shell's that is not set: not everybody whom the machine trusts.
            ("", ["SSL_CERT_FILE": "b"], .named(files: [""], directories: [])), ("", [:], .named(files: [""], directories: [])),
            (nil, ["SSL_CERT_FILE": "b"], .named(files: ["b"], directories: [])),
            (nil, ["SSL_CERT_DIR": "c:d"], .named(files: [], directories: ["c", "d"])),
            (nil, ["SSL_CERT_FILE": "b", "SSL_CERT_DIR": "c"], .named(files: ["b"], directories: ["c"])),
        ] as [(String?, [String: String], CertificateAuthorities)])
    func precedence(file: String?, environment: [String: String], authorities: CertificateAuthorities) {
        #expect(CertificateAuthorities(file: file) { environment[$0] } == authorities)
    }
}
