import AgentProtocol
import Foundation
import Logging
import ServiceLifecycle
import Subprocess
import TLSSupport
import TestSupport
import Testing

@testable import OIDCFrontend

@Suite("The documents over TLS")
struct TLSTests {
    /// Ahead of openssl's clock, which makes the certificates only now.
    private let clock = TestClock(Moment(seconds: today(0).seconds + 3600))
    private let pauses = ManualPause()
    private let records = LogRecords()

    @Test("are the same as over plain HTTP, for a client that knows the certificate", arguments: TestCertificate.Kind.allCases)
    func documents(kind: TestCertificate.Kind) async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory, "server", kind)
            try await serving(made) { site in
                let answer = try await site.curl(["-i", "--cacert", made.certificate], jwksPath("a"))
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(answer.hasSuffix("\r\n\r\n" + jwksBody("k1")))
                #expect(answer.lowercased().contains("\r\netag: \"j-k1\"\r\n"))
                let known = try await site.curl(
                    ["-i", "--cacert", made.certificate, "-H", "If-None-Match: \"j-k1\""], jwksPath("a"))
                #expect(known.hasPrefix("HTTP/1.1 304 Not Modified\r\n"))
            }
        }
    }

    @Test("TLS 1.2 and 1.3 are spoken, 1.1 is not, nor plain HTTP")
    func versions() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory)
            try await serving(made) { site in
                for (version, expected) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
                    let said = try await site.handshake([version, "-alpn", "h2,http/1.1"])
                    #expect(said.contains("ALPN protocol: http/1.1"), "\(said)")
                    #expect(said.contains("New, \(expected), Cipher is"), "\(said)")
                }
                // At the level at which openssl itself would still speak it.
                let old = try await site.handshake(["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"])
                #expect(old.contains("alert protocol version"), "\(old)")
                // Without forward secrecy.
                let weak = try await site.handshake(["-tls1_2", "-cipher", "kRSA"])
                #expect(weak.contains("Cipher is (NONE)"), "\(weak)")
                let plain = try await run(
                    .name("curl"), arguments: ["-s", "--max-time", "10", "http://127.0.0.1:\(site.port)/healthz"],
                    output: .string(limit: 1 << 16))
                #expect(!plain.terminationStatus.isSuccess && plain.standardOutput == "")
            }
        }
    }

    @Test("connections that never end their handshake, or do not want to be closed, keep nobody out")
    func slow() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory)
            try await serving(made, limits: ConnectionLimits(total: 3)) { site in
                try await withClients(9, site.port) { clients in
                    // The beginning of a handshake, of which the rest never comes. Some are closed by now.
                    for client in clients { try? await client.send("\u{16}\u{3}\u{1}\u{2}") }
                    #expect(try await site.curl(["--cacert", made.certificate], jwksPath("a")) == jwksBody("k1"))
                    try await eventually("seven closed") { clients.count(where: \.isClosed) >= 7 }
                }
            }
        }
    }

    @Test("a renewed certificate is taken within a minute, with another kind of key as well")
    func renewed() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory)
            let renewed = try await TestCertificate.make(in: directory, "renewed", .rsa)
            try await serving(made) { site in
                #expect(try await site.serves(made: "server"))
                try made.replace(by: renewed)
                #expect(try await site.serves(made: "server"), "until it looks")
                try await look()
                #expect(try await site.serves(made: "renewed"))
                #expect(records.messages == ["a renewed TLS certificate is in force"])
                #expect(pauses.durations(.certificate).allSatisfy { $0 == .seconds(60) })
            }
        }
    }

    @Test("a renewal that does not load is logged once and leaves the old one in force; put right, it is taken")
    func badRenewal() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory)
            let renewed = try await TestCertificate.make(in: directory, "renewed")
            try await serving(made) { site in
                let key = try Data(contentsOf: URL(fileURLWithPath: made.key))
                try made.replace(by: renewed)
                try key.write(to: URL(fileURLWithPath: made.key))
                try await look()
                try await look()
                #expect(try await site.serves(made: "server"))
                #expect(records.messages == ["the TLS certificate cannot be renewed, the one in force stays so"])
                try made.replace(by: renewed)
                try await look()
                #expect(try await site.serves(made: "renewed"))
                #expect(records.messages.count == 2)
            }
        }
    }

    @Test("told to, it reads the files at once and says what came of it")
    func reload() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory)
            let renewed = try await TestCertificate.make(in: directory, "renewed")
            try await serving(made) { site in
                await site.keeper.reload()
                try made.replace(by: renewed)
                await site.keeper.reload()
                #expect(try await site.serves(made: "renewed"))
                try FileManager.default.removeItem(atPath: made.key)
                await site.keeper.reload()
                #expect(try await site.serves(made: "renewed"))
                #expect(
                    records.messages == [
                        "the TLS certificate is the one in force already", "a renewed TLS certificate is in force",
                        "the TLS certificate cannot be renewed, the one in force stays so",
                    ])
            }
        }
    }

    @Test("a certificate that nears its end while it serves is logged once, and its end once more")
    func ending() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory, days: 30)
            try await serving(made) { site in
                let end = site.keeper.certificate.current.endsAt
                try await look()
                #expect(records.messages == [])
                clock.move(to: Moment(seconds: end.seconds - 86_400))
                try await look()
                try await look()
                #expect(records.messages == ["the TLS certificate is valid until \(end.text) only, 1 days from now"])
                clock.move(to: Moment(seconds: end.seconds + 1))
                try await look()
                try await look()
                #expect(records.messages.dropFirst() == ["the TLS certificate was valid until \(end.text): clients refuse it"])
            }
        }
    }

    @Test("a certificate near its end is a warning at the start")
    func warning() async throws {
        try await withTemporaryDirectory { directory in
            let made = try await TestCertificate.make(in: directory, days: 5)
            _ = try CertificateKeeper(made.files, clock: clock.reading, logger: records.logger)
            #expect(records.messages.count == 1)
            #expect(records.messages.first?.hasPrefix("the TLS certificate is valid until ") == true)
        }
    }

    /// Lets the keeper look at the files, and returns when it has.
    private func look() async throws {
        let before = pauses.durations(.certificate).count
        try await eventually("a pause") { pauses.end(.certificate) }
        try await eventually("the next pause") { pauses.durations(.certificate).count > before }
    }

    private func serving(
        _ made: TestCertificate, limits: ConnectionLimits = ConnectionLimits(), _ body: (Site) async throws -> Void
    ) async throws {
        let publication = LivePublication(
            Publication(results: [discovery(of: "demo", [url("a")])], confirmedAt: wire(0)), clock: moment(0).reading,
            uptime: { 0 })
        let keeper = try CertificateKeeper(made.files, clock: clock.reading, pause: pauses.pause, logger: records.logger)
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = DocumentServer(
            responder: DocumentResponder(publication: publication), host: "127.0.0.1", port: 0,
            certificate: keeper.certificate, limits: limits, uptime: TestUptime().reading, logger: silent
        ) { port.yield($0) }
        try await withRunning([keeper, server], ports, finishing: port) { running in
            // So that the first look is one that a test has asked for.
            try await eventually("the first pause") { !pauses.durations(.certificate).isEmpty }
            try await body(Site(port: running.port, keeper: keeper))
        }
    }
}

/// A server with TLS, as clients of the machine see it.
private struct Site {
    let port: Int
    let keeper: CertificateKeeper

    /// What curl gets.
    func curl(_ options: [String], _ path: String) async throws -> String {
        let result = try await run(
            .name("curl"), arguments: Arguments(["-sS", "--max-time", "60"] + options + ["https://127.0.0.1:\(port)\(path)"]),
            output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
        try #require(result.terminationStatus.isSuccess, "\(result.standardError)")
        return result.standardOutput
    }

    /// What openssl says of a handshake.
    func handshake(_ options: [String]) async throws -> String {
        let result = try await run(
            .name("openssl"), arguments: Arguments(["s_client", "-connect", "127.0.0.1:\(port)"] + options),
            output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
        return result.standardOutput + result.standardError
    }

    /// Whether the next handshake shows the certificate that was made under a name.
    func serves(made name: String) async throws -> Bool {
        try await handshake([]).contains("subject=CN = \(name)\n")
    }
}
