import AgentClient
import AgentProtocol
import EtcdStore
import EtcdSupport
import FleetSupport
import Foundation
import Platform
import TLSSupport
import TestSupport
import Testing

/// What is wrong with etcd has to be found in the health and the log of an agent that runs, with what to do about it.
@Suite("What a running agent says on etcd's bad days", .enabled(if: EtcdServer.isInstalled, "etcd-server is not installed"))
struct BadDaysOfEtcdTests {
    /// What is said instead of a signature once nothing has confirmed for too long what an agent goes by.
    private let unconfirmed = "the store has not confirmed for too long"

    /// Calls with an installation whose etcd nobody else uses.
    private func withOwnServer(
        _ options: [String] = [], _ body: (EtcdScene, EtcdServer) async throws -> Void
    ) async throws {
        let server = try await EtcdServer.start(options)
        do {
            try await EtcdScene.with(server) { try await body($0, server) }
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    /// Waits until health names something with what to do about it, and returns that.
    private func problem(
        _ message: String, _ hint: String, in scene: EtcdScene, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> HealthProblem? {
        var (found, last): (HealthProblem?, [HealthProblem]) = (nil, [])
        let isNamed = await poll("the problem \(message)") {
            let client = try await scene.site.connect()
            last = try await client.call(HealthParameters()).problems
            await client.close()
            found = last.first { $0.message.contains(message) }
            return found?.hint?.contains(hint) == true
        }
        #expect(isNamed, "\(message), \(hint): \(last)", sourceLocation: sourceLocation)
        return found
    }

    private func isWell(_ scene: EtcdScene) async -> Bool {
        await poll("an agent without problems") { try await scene.problems().isEmpty }
    }

    private func attempt(_ scene: EtcdScene) async throws -> Programs.Outcome {
        try await scene.site.privyseal("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
    }

    /// Waits until nothing is signed any more, and returns what is said instead.
    private func refusal(_ scene: EtcdScene) async throws -> String {
        var last = ""
        let isRefused = await poll("the refusal") {
            let outcome = try await attempt(scene)
            last = outcome.errors
            return outcome.status != 0
        }
        #expect(isRefused)
        return last
    }

    /// Calls etcd past the agent.
    @discardableResult
    private func call(_ server: EtcdServer, _ path: String, _ body: String, _ options: [String] = []) async throws -> String {
        let outcome = try await Programs.run(
            at: "/usr/bin/curl", ["-sS", "--fail-with-body", "-d", body] + options + ["\(server.endpoint.url)/v3/\(path)"])
        return try outcome.output(of: ["curl", path])
    }

    /// Makes the user `u`, whose password is `pw` and who may do everything under the prefix, and switches authentication on.
    private func switchAuthenticationOn(_ server: EtcdServer, _ prefix: String, _ options: [String] = []) async throws {
        for (path, body) in EtcdServer.authentication(under: "\(prefix)/") {
            try await call(server, "auth/\(path)", body, options)
        }
    }

    private func secret(_ text: String, _ scene: EtcdScene) throws -> String {
        let path = "\(scene.site.directory)/password"
        try AtomicFile.write(Array(text.utf8), to: path, mode: 0o600)
        return path
    }

    private func configure(_ scene: EtcdScene, _ store: String) throws {
        try scene.site.writeAgentConfiguration(replacing: ["store: { sqlite: \(scene.site.directory)/store.db }": store])
    }

    private func port(_ proxy: CuttableProxy) throws -> Int {
        guard case .port(let port) = proxy.place else { throw CancellationError() }
        return port
    }

    private func port(_ server: EtcdServer) throws -> Int { try #require(URL(string: server.endpoint.url)?.port) }

    @Test(
        "an endpoint that takes connections and answers nothing is named with its disk and load, once, and the others are enough")
    func silentEndpoint() async throws {
        try await EtcdScene.with { scene in
            let site = scene.site
            #expect(try await scene.privyseald("init").status == 0)
            let silent = try await CuttableProxy.start(listeningAt: .port(0), to: .port(self.port(scene.server)))
            let port = try self.port(silent)
            silent.set(.silent)
            let gone = try FreePort.next()
            let endpoints = [scene.server.endpoint.url, "http://127.0.0.1:\(port)", "http://127.0.0.1:\(gone)"]
            try configure(scene, scene.store(endpoint: endpoints.joined(separator: "\", \"")))
            let agent = try await site.startAgent()
            try await scene.create()
            let slow = try await problem(
                "http://127.0.0.1:\(port) did not answer within", "check its disk and its load", in: scene)
            #expect(slow?.component == "store")
            _ = try await problem("http://127.0.0.1:\(gone) refused the connection", "check that etcd runs there", in: scene)
            let client = try await site.connect()
            let health = try await client.call(HealthParameters())
            await client.close()
            #expect(health.status == "degraded" && health.store.state == "ok" && health.problems.count == 2, "\(health)")
            #expect(try await scene.verifies(scene.issue()))
            for port in [port, gone] {
                let said = agent.text.split(separator: "\n").filter {
                    $0.contains("something is wrong with a part of the store") && $0.contains(":\(port)")
                }
                #expect(said.count == 1, "\(said)")
            }
            await silent.close()
        }
    }

    @Test("an etcd that stands still is said to be slow or standing still, and not to be unreachable; signing goes on meanwhile")
    func standstill() async throws {
        try await withOwnServer { scene, server in
            try configure(scene, scene.store().replacing("10s", with: "10m"))
            #expect(try await scene.privyseald("init").status == 0)
            let agent = try await scene.site.startAgent()
            try await scene.create()
            try await server.pause()
            // What fails first may be a change: then it is said of that alone.
            let said = try await problem("signing goes on for", "check its disk and its load", in: scene)
            #expect(said?.message.contains("did not answer within") == true, "\(said as Any)")
            #expect(try await scene.verifies(scene.issue()))
            let refused = try await scene.site.privyseal("issuer", "create", "other", "--enable-oidc-issuer")
            #expect(refused.status != 0 && refused.errors.contains("did not answer within"), "\(refused)")
            #expect(agent.text.contains("the store does not confirm what the agent goes by"), "\(agent.text)")
            try server.resume()
            #expect(await isWell(scene))
        }
    }

    @Test("an etcd whose quota is used up is named, changes are refused with that, and signing goes on")
    func noSpace() async throws {
        try await withOwnServer { scene, server in
            #expect(try await scene.privyseald("init").status == 0)
            let agent = try await scene.site.startAgent()
            try await scene.create()
            #expect(await isWell(scene))
            let member = try #require(try await EtcdGateway.with([server.endpoint]) { await $0.examine().first?.member })
            func alarm(_ action: String) async throws {
                try await call(
                    server, "maintenance/alarm", #"{"action":"\#(action)","memberID":"\#(member)","alarm":"NOSPACE"}"#)
            }
            try await alarm("ACTIVATE")
            let said = try await problem("takes nothing from this agent", "etcdctl alarm disarm", in: scene)
            #expect(said?.message.contains("(alarm NOSPACE)") == true, "\(said as Any)")
            #expect(try await scene.verifies(scene.issue()))
            let refused = try await scene.site.privyseal("issuer", "create", "other", "--enable-oidc-issuer")
            #expect(refused.status != 0 && refused.errors.contains("(alarm NOSPACE)"), "\(refused)")
            let line = "the store takes nothing from this agent, neither a change nor that it is there"
            #expect(await poll("the log") { agent.text.contains(line) })
            try await alarm("DEACTIVATE")
            #expect(await isWell(scene))
            try await scene.create("other")
        }
    }

    @Test("a cluster of another id at the endpoints confirms nothing, and after a restart its store waits for a decision")
    func otherCluster() async throws {
        try await withOwnServer { scene, other in
            let (site, first) = (scene.site, try await EtcdServer.shared())
            let way = try await CuttableProxy.start(listeningAt: .port(0), to: .port(port(first)))
            let place = try port(way)
            try configure(scene, scene.store(endpoint: "http://127.0.0.1:\(place)"))
            #expect(try await scene.privyseald("init").status == 0)
            let agent = try await site.startAgent()
            try await scene.create()
            await way.close()
            let detour = try await CuttableProxy.start(listeningAt: .port(place), to: .port(port(other)))
            _ = try await problem("and the one that answered before is", "recover --restored", in: scene)
            #expect(try await refusal(scene).contains(unconfirmed))
            await agent.end()

            // What was in the first one is in this one now, as after the restoration of a snapshot.
            let values = try await EtcdGateway.with([first.endpoint]) { try await $0.read(.prefix(scene.prefix)).values }
            try await scene.restore(values)
            try await site.startAgent()
            let said = try await problem("it is in the etcd cluster", "recover --restored", in: scene)
            #expect(said?.message.contains("every issuer is in quarantine") == true, "\(said as Any)")
            let refused = try await attempt(scene)
            #expect(refused.status != 0 && refused.errors.contains("quarantine"), "\(refused)")
            await detour.close()
        }
    }

    @Test("an etcd that went back to an earlier revision under a running agent has every issuer in quarantine")
    func earlierRevision() async throws {
        let server = try await EtcdServer.start()
        var anew: EtcdServer?
        do {
            try await EtcdScene.with(server) { scene in
                // What is made anew is younger than this.
                try await EtcdGateway.with([server.endpoint]) { gateway in
                    for number in 0..<64 { try await gateway.put("/other", [UInt8(number)]) }
                }
                #expect(try await scene.privyseald("init").status == 0)
                let agent = try await scene.site.startAgent()
                try await scene.create()
                let values = try await scene.raw()
                let restored = try await server.madeAnew()
                anew = restored
                try await scene.restore(values)
                let said = try await problem("etcd is at revision", "recover --restored", in: scene)
                #expect(said?.message.contains("every issuer is in quarantine") == true, "\(said as Any)")
                let refused = try await attempt(scene)
                #expect(refused.status != 0 && refused.errors.contains("quarantine"), "\(refused)")
                await agent.end()
            }
        } catch {
            await server.stop()
            await anew?.stop()
            throw error
        }
        await anew?.stop()
    }

    @Test("TLS, a client certificate and a password are enough for an agent; a CommonName is named as soon as it is in the way")
    func mutualTLS() async throws {
        try await withTemporaryDirectory { directory in
            let authority = try await TestCertificate.make(in: directory, "ca")
            let shown = try await TestCertificate.make(in: directory, "server", by: authority)
            let named = try await TestCertificate.make(in: directory, "names", for: "DNS:a", subject: "/O=agents", by: authority)
            let common = try await TestCertificate.make(in: directory, "common", for: "DNS:a", by: authority)
            let server = try await EtcdServer.start(certificate: shown, clients: authority) { endpoint in
                EtcdAccess(
                    endpoints: [endpoint], authority: authority.certificate,
                    certificate: .init(certificate: named.certificate, key: named.key))
            }
            do {
                try await EtcdScene.with(server) { scene in try await live(scene, authority, named, common) }
            } catch {
                await server.stop()
                throw error
            }
            await server.stop()
        }
    }

    private func live(
        _ scene: EtcdScene, _ authority: TestCertificate, _ named: TestCertificate, _ common: TestCertificate
    ) async throws {
        let (site, server) = (scene.site, scene.server)
        try await switchAuthenticationOn(
            server, scene.prefix, ["--cacert", authority.certificate, "--cert", named.certificate, "--key", named.key])
        let own = TestCertificate(certificate: "\(site.directory)/own.pem", key: "\(site.directory)/own.key")
        try own.replace(by: named)
        let password = try secret("pw", scene)
        let certificates = ", ca: \(authority.certificate), certificate: \(own.certificate), key: \(own.key)"
        try configure(scene, scene.store(more: "\(certificates), user: u, passwordFile: \(password)"))
        #expect(try await scene.privyseald("init").status == 0)
        let agent = try await site.startAgent()
        try await scene.create()
        #expect(await isWell(scene), "\(agent.text)")
        #expect(try await scene.verifies(scene.issue()))

        try own.replace(by: common)
        _ = try await problem("with authentication on it may have no CommonName", "without CN", in: scene)
        try own.replace(by: named)
        #expect(await isWell(scene), "\(agent.text)")
        #expect(try await scene.verifies(scene.issue()))
        #expect(await agent.end() == 0)

        try own.replace(by: common)
        let refused = try await scene.privyseald("serve")
        #expect(refused.status == 1 && refused.errors.contains("it may have no CommonName"), "\(refused)")
        #expect(refused.errors.contains("hint: issue a client certificate"), "\(refused)")
        try own.replace(by: named)
        _ = try secret("wrong", scene)
        let stranger = try await scene.privyseald("serve")
        #expect(stranger.status == 1 && stranger.errors.contains("does not take the user u"), "\(stranger)")
        #expect(!stranger.errors.contains("wrong"), "\(stranger)")
        try configure(scene, scene.store(more: certificates))
        let nobody = try await scene.privyseald("serve")
        #expect(nobody.status == 1 && nobody.errors.contains("no user is configured"), "\(nobody)")
        try configure(scene, scene.store(more: ", ca: \(authority.certificate)"))
        let unknown = try await scene.privyseald("serve")
        #expect(unknown.status == 1 && unknown.errors.contains("asks for a client certificate"), "\(unknown)")
    }

    @Test(
        "authentication that is switched on under an agent without a user is named, and so is its end under one that has a user")
    func authentication() async throws {
        try await withOwnServer { scene, server in
            let site = scene.site
            #expect(try await scene.privyseald("init").status == 0)
            let agent = try await site.startAgent()
            try await scene.create()
            try await switchAuthenticationOn(server, scene.prefix)
            _ = try await problem("has authentication, and no user is configured", "set user and passwordFile", in: scene)
            #expect(try await refusal(scene).contains(unconfirmed))
            await agent.end()

            let user = scene.store(more: ", user: u, passwordFile: \(try secret("pw", scene))")
            try configure(scene, user)
            let second = try await site.startAgent()
            #expect(await isWell(scene), "\(second.text)")
            #expect(try await scene.verifies(scene.issue()))

            let answer = try await call(server, "auth/authenticate", #"{"name":"root","password":"r"}"#)
            let token = try #require(answer.firstMatch(of: #/"token":"([^"]*)"/#)?.output.1)
            try await call(server, "auth/disable", "{}", ["-H", "Authorization: \(token)"])
            _ = try await problem("has no authentication, and the user u is configured", "etcdctl auth enable", in: scene)
            await second.end()
            let refused = try await scene.privyseald("serve")
            #expect(refused.status == 1 && refused.errors.contains("has no authentication"), "\(refused)")
        }
    }

    @Test("an etcd whose gateway is off, and a prefix that two fleets use, are named at the start with what to do")
    func refusedStarts() async throws {
        try await withOwnServer(["--enable-grpc-gateway=false"]) { scene, _ in
            for command in ["check", "init", "serve"] {
                let outcome = try await scene.privyseald(command)
                #expect(outcome.status == 1 && outcome.errors.contains("has no JSON gateway under /v3"), "\(outcome)")
                #expect(outcome.errors.contains("hint: start etcd without --enable-grpc-gateway=false"), "\(outcome)")
            }
        }
        try await EtcdScene.with { scene in
            #expect(try await scene.privyseald("init").status == 0)
            _ = try await EtcdGateway.with([scene.server.endpoint]) { try await $0.put("\(scene.prefix)/1/ffff/meta", []) }
            let outcome = try await scene.privyseald("serve")
            #expect(outcome.status == 78 && outcome.errors.contains("lie two deployments"), "\(outcome)")
            #expect(outcome.errors.contains("hint: give each fleet a prefix of its own"), "\(outcome)")
        }
    }
}
