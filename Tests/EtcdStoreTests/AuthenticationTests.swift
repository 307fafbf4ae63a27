import EtcdSupport
import Foundation
import Platform
import TLSSupport
import Testing

@testable import EtcdStore

@Suite("Who asks etcd, and how both sides show who they are", .enabled(if: EtcdServer.isInstalled))
struct AuthenticationTests {
    /// Makes the user `u`, which may do everything under `/mine/`, and switches authentication on.
    private func switchOn(_ gateway: EtcdGateway, at endpoint: EtcdEndpoint) async throws {
        for (path, body) in EtcdServer.authentication(under: "/mine/") {
            let answer = try await gateway.exchange.post(
                "\(endpoint.url)/v3/auth/\(path)", Array(body.utf8), token: nil, within: .seconds(10))
            try #require(answer.status == 200, "\(path): \(String(decoding: answer.body, as: UTF8.self))")
        }
    }

    private func failure(_ gateway: EtcdGateway, _ key: String = "/mine/k") async -> EtcdError? {
        do {
            _ = try await gateway.read(.key(key))
            return nil
        } catch {
            return error
        }
    }

    @Test("a user works beyond the life of a token, with the password as it is now, under its prefix alone")
    func password() async throws {
        let server = try await EtcdServer.start(["--auth-token-ttl", "1"])
        let endpoint = server.endpoint
        try await EtcdGateway.with([endpoint]) { try await switchOn($0, at: endpoint) }
        try await withSecret("pw\n") { file in
            let user = EtcdAccess.User(name: "u", passwordFile: file)
            try await EtcdGateway.with([endpoint], { $0.user = user }) { gateway in
                for round in 0..<2 {
                    try await gateway.put("/mine/k", [UInt8(round)])
                    let lease = try await gateway.grantLease(seconds: 60)
                    try await gateway.keepLeaseAlive(lease)
                    #expect(try await gateway.check().first?.trouble == nil)
                    // The token expires unless it is used.
                    try await Task.sleep(for: .seconds(3))
                }
                let outcome = try await gateway.carryOut(EtcdTransaction(success: [.put("/mine/k", [9])]))
                #expect(outcome.succeeded && !outcome.isRepeated)
                let refused = await failure(gateway, "/other")
                #expect(refused?.code == .permissionDenied)
                #expect(refused?.hint.contains("grant-permission") == true)
                // A watch is refused in its own way.
                let heard = Locked(0)
                await #expect(throws: EtcdError(.watchEnded, "", hint: "")) {
                    try await gateway.watch(.key("/other"), from: 1) { _ in heard.withLock { $0 += 1 } }
                }
                #expect(heard.withLock { $0 } == 0)
            }
            try AtomicFile.write(Array("wrong".utf8), to: file, mode: 0o600)
            try await EtcdGateway.with([endpoint], { $0.user = user }) { gateway in
                let refused = await failure(gateway)
                #expect(refused?.code == .credentialsRefused)
                #expect(refused?.message.contains("wrong") == false)
                try AtomicFile.write(Array("pw".utf8), to: file, mode: 0o600)
                #expect(await failure(gateway) == nil)
            }
        }
        try await EtcdGateway.with([endpoint]) { gateway in
            let refused = await failure(gateway)
            #expect(refused?.code == .authenticationRequired)
            #expect(refused?.hint.contains("passwordFile") == true)
        }
        await server.stop()
    }

    @Test("a watch that begins with an expired token is opened again with a fresh one")
    func watchToken() async throws {
        let server = try await EtcdServer.start(["--auth-token-ttl", "1"])
        try await EtcdGateway.with([server.endpoint]) { try await switchOn($0, at: server.endpoint) }
        try await withSecret("pw") { file in
            try await EtcdGateway.with([server.endpoint], { $0.user = .init(name: "u", passwordFile: file) }) { gateway in
                try await gateway.put("/mine/k", [])
                try await Task.sleep(for: .seconds(3))
                let (begun, beginning) = AsyncStream<Void>.makeStream()
                let watching = Task {
                    var ends = 0
                    while !Task.isCancelled {
                        do { try await gateway.watch(.prefix("/mine/"), from: 1) { _ in beginning.yield() } } catch { ends += 1 }
                    }
                    return ends
                }
                for await _ in begun { break }
                watching.cancel()
                #expect(await watching.value <= 2)
            }
        }
        await server.stop()
    }

    @Test("a user for a cluster without authentication is named")
    func authenticationOff() async throws {
        let server = try await EtcdServer.shared()
        try await withSecret("pw") { file in
            try await EtcdGateway.with([server.endpoint], { $0.user = .init(name: "u", passwordFile: file) }) { gateway in
                #expect(await failure(gateway)?.code == .authenticationOff)
            }
        }
    }

    @Test("a password that others can read, and one that is missing, are not sent")
    func passwordFile() async throws {
        let server = try await EtcdServer.shared()
        try await withSecret("pw") { file in
            try AtomicFile.write(Array("pw".utf8), to: file, mode: 0o644)
            for path in [file, file + ".gone"] {
                try await EtcdGateway.with([server.endpoint], { $0.user = .init(name: "u", passwordFile: path) }) { gateway in
                    let error = await failure(gateway)
                    #expect(error?.code == .misconfigured)
                    #expect(error?.message.contains(path) == true)
                }
            }
        }
    }

    @Test("mutual TLS works with names alone, and with authentication on not with a CommonName, which is said")
    func mutualTLS() async throws {
        try await withSecret("pw") { file in
            let directory = URL(fileURLWithPath: file).deletingLastPathComponent().path
            let authority = try await TestCertificate.make(in: directory, "ca")
            let shown = try await TestCertificate.make(in: directory, "server", by: authority)
            let named = try await TestCertificate.make(
                in: directory, "names", for: "DNS:agent", subject: "/O=agents", by: authority)
            let common = try await TestCertificate.make(in: directory, "common", for: "DNS:agent", by: authority)
            let stranger = try await TestCertificate.make(in: directory, "stranger")
            @Sendable func access(_ own: TestCertificate?, _ ca: TestCertificate) -> @Sendable (inout EtcdAccess) -> Void {
                { access in
                    access.authority = ca.certificate
                    access.certificate = own.map { .init(certificate: $0.certificate, key: $0.key) }
                }
            }
            let server = try await EtcdServer.start(certificate: shown, clients: authority) { endpoint in
                var found = EtcdAccess(endpoints: [endpoint])
                access(named, authority)(&found)
                return found
            }
            let endpoint = server.endpoint
            for own in [named, common] {
                try await EtcdGateway.with([endpoint], access(own, authority)) { #expect(await failure($0) == nil) }
            }
            for (own, ca) in [(named, stranger), (nil, authority), (stranger, authority)] {
                try await EtcdGateway.with([endpoint], access(own, ca)) { gateway in
                    let error = await failure(gateway)
                    #expect(error?.code == .certificateRefused, "\(error?.message ?? "")")
                    #expect(error?.message.contains("\n") == false)
                }
            }
            try await EtcdGateway.with([endpoint], access(named, authority)) { try await switchOn($0, at: endpoint) }
            let user = EtcdAccess.User(name: "u", passwordFile: file)
            try await EtcdGateway.with(
                [endpoint],
                {
                    access(named, authority)(&$0); $0.user = user
                }
            ) { gateway in
                try await gateway.put("/mine/k", [])
                #expect(await failure(gateway) == nil)
            }
            for who in [user, nil] {
                try await EtcdGateway.with(
                    [endpoint],
                    {
                        access(common, authority)(&$0); $0.user = who
                    }
                ) { gateway in
                    let error = await failure(gateway)
                    #expect(error?.code == .commonName)
                    #expect(error?.hint.contains("without CN") == true)
                }
            }
            await server.stop()
        }
    }

    @Test("certificates that are replaced on the disk count from then on, and what cannot be read of them does not")
    func renewal() async throws {
        try await withSecret("pw") { file in
            let directory = URL(fileURLWithPath: file).deletingLastPathComponent().path
            let authority = try await TestCertificate.make(in: directory, "ca")
            let shown = try await TestCertificate.make(in: directory, "server", by: authority)
            let own = try await TestCertificate.make(in: directory, "own", for: "DNS:agent", subject: "/O=a", by: authority)
            let next = try await TestCertificate.make(in: directory, "next", for: "DNS:agent", subject: "/O=a", by: authority)
            let stranger = try await TestCertificate.make(in: directory, "stranger", for: "DNS:agent", subject: "/O=a")
            let broken = TestCertificate(certificate: directory + "/broken.pem", key: directory + "/broken.key")
            for path in [broken.certificate, broken.key] { try AtomicFile.write(Array("no".utf8), to: path, mode: 0o600) }
            let trusted = TestCertificate(certificate: directory + "/trusted.pem", key: directory + "/trusted.key")
            try trusted.replace(by: authority)
            @Sendable func access(_ access: inout EtcdAccess) {
                access.authority = trusted.certificate
                access.certificate = .init(certificate: own.certificate, key: own.key)
            }
            let server = try await EtcdServer.start(certificate: shown, clients: authority) { endpoint in
                var found = EtcdAccess(endpoints: [endpoint])
                access(&found)
                return found
            }
            let time = Locked<Int64>(0)
            let clock: @Sendable () -> Int64 = { time.withLock { $0 } }
            try await EtcdGateway.with([server.endpoint], access, clock: clock) { gateway in
                /// What a call meets with, once the files have been looked at.
                func after(_ change: () throws -> Void) async throws -> EtcdError? {
                    try change()
                    time.withLock { $0 += 10_000_000_000 }
                    return await failure(gateway)
                }
                #expect(await failure(gateway) == nil)
                #expect(try await after { try own.replace(by: stranger) }?.code == .certificateRefused)
                #expect(try await after { try own.replace(by: next) } == nil)
                #expect(try await after { try own.replace(by: broken) } == nil, "the former ones are used")
                #expect(gateway.certificateTrouble?.message.contains(own.certificate) == true)
                #expect(try await after { try own.replace(by: next) } == nil)
                #expect(gateway.certificateTrouble == nil)
                #expect(try await after { try trusted.replace(by: stranger) }?.code == .certificateRefused)
                #expect(try await after { try trusted.replace(by: authority) } == nil)
                // A watch goes on with what it was begun with.
                let (begun, beginning) = AsyncStream<Bool>.makeStream()
                let watching = Task {
                    try await gateway.watch(.key("/mine/k"), from: 0) { beginning.yield($0.isBeginning) }
                }
                var told = begun.makeAsyncIterator()
                #expect(await told.next() == true)
                for certificate in [own, next] { #expect(try await after { try own.replace(by: certificate) } == nil) }
                #expect(try await after {} == nil)
                try await gateway.put("/mine/k", [])
                #expect(await told.next() == false)
                watching.cancel()
                _ = await watching.result
            }
            await server.stop()
        }
    }

    @Test("what cannot be used of the configuration is said before anything is asked")
    func configuration() async throws {
        try await withSecret("no certificate") { file in
            let (secure, plain) = (EtcdEndpoint("https://127.0.0.1:1")!, EtcdEndpoint("http://127.0.0.1:1")!)
            var missing = EtcdAccess(endpoints: [secure], authority: file + ".gone")
            missing.user = nil
            for access in [
                EtcdAccess(endpoints: []), EtcdAccess(endpoints: [secure, plain]),
                EtcdAccess(endpoints: [plain], authority: file),
                EtcdAccess(endpoints: [secure], authority: file), missing,
                EtcdAccess(endpoints: [secure], certificate: .init(certificate: file, key: file)),
            ] {
                #expect(throws: EtcdError(.misconfigured, "", hint: "")) {
                    try EtcdGateway(access, clock: MonotonicClock.nanoseconds)
                }
            }
        }
    }
}
