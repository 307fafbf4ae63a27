import AgentClient
import AgentProtocol
import EtcdStore
import EtcdSupport
import Foundation
import IssuerStore
import PKCS11
import Platform
import ProcessSupport
import RelyingParty
import SoftHSMSupport
import TestSupport
import Testing

/// An installation whose store lies in an etcd of these tests.
struct EtcdScene {
    let site: Installation
    let server: EtcdServer
    let prefix: String

    /// - Parameter server: one of the test's own, which it ends; the shared one unless it is given.
    static func with(_ own: EtcdServer? = nil, _ body: (EtcdScene) async throws -> Void) async throws {
        let server: EtcdServer
        if let own { server = own } else { server = try await EtcdServer.shared() }
        try await Installation.with { site in
            let scene = EtcdScene(site: site, server: server, prefix: EtcdGateway.prefix())
            try site.writeAgentConfiguration(replacing: scene.inEtcd)
            try await body(scene)
        }
    }

    /// What makes the configuration one with its store in etcd.
    var inEtcd: [String: String] { ["store: { sqlite: \(site.directory)/store.db }": store()] }

    func store(
        endpoint: String? = nil, more: String = "", memory: String = "fleet.json", agent: String? = nil, prefix: String? = nil
    ) -> String {
        "store: { etcd: { endpoints: [\"\(endpoint ?? server.endpoint.url)\"], prefix: \(prefix ?? self.prefix)\(more) }, "
            + "maxStaleness: 10s, " + (agent.map { "agent: \($0), " } ?? "") + "memory: \(site.directory)/\(memory) }"
    }

    /// Another configuration of the same agent.
    func write(_ name: String, store: String) throws -> String {
        let path = "\(site.directory)/\(name)"
        let text = try String(contentsOfFile: site.agentConfiguration, encoding: .utf8)
        let lines = text.split(separator: "\n").map { $0.hasPrefix("store:") ? store : String($0) }
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        try site.set(mode: 0o600, of: path)
        return path
    }

    var sqlite: String { "store: { sqlite: \(site.directory)/moved.db }" }

    func privyseald(_ arguments: String..., config: String? = nil) async throws -> Programs.Outcome {
        let words = arguments[0].split(separator: " ").map(String.init)
        return try await Programs.run(
            "privyseald", words + ["--config", config ?? site.agentConfiguration] + arguments.dropFirst())
    }

    func create(_ name: String = "demo") async throws {
        _ = try await site.output("issuer", "create", name, "--enable-oidc-issuer", "--algorithm", "ES256")
        try await untilStandby(name)
    }

    func rotate() async throws {
        _ = try await site.output("rotate", "demo", "--yes")
        try await untilStandby("demo")
    }

    private func untilStandby(_ name: String) async throws {
        let isThere = await poll("the standby key") {
            try await site.output("issuer", "show", name, "--query", "keyCounts.standby", "-o", "tsv") == "1"
        }
        try #require(isThere)
    }

    func show(_ member: String = "activeKid") async throws -> String {
        try await site.output("issuer", "show", "demo", "--query", member, "-o", "tsv")
    }

    /// Makes the store, and an issuer that is rotated; nothing runs then.
    ///
    /// - Returns: what lay in etcd before the rotation, and the key that signed then.
    func rotatedSince() async throws -> (earlier: [EtcdKeyValue], last: String) {
        #expect(try await privyseald("init").status == 0)
        let agent = try await site.startAgent()
        try await create()
        let (last, earlier) = (try await show(), try await raw())
        try await rotate()
        #expect(await agent.end() == 0)
        return (earlier, last)
    }

    /// The configuration of another agent of the fleet: with a socket, a memory and a log of its own, named after `name`.
    func writeOther(_ name: String, agent: String) throws -> String {
        let path = try write("\(name).yaml", store: store(memory: "\(name).json", agent: agent))
        let text = try String(contentsOfFile: path, encoding: .utf8).replacing("/agent.sock", with: "/\(name).sock")
        try (text + "\naudit: { path: \(site.directory)/\(name).log }\n").write(toFile: path, atomically: true, encoding: .utf8)
        try site.set(mode: 0o600, of: path)
        return path
    }

    /// Starts another agent of the fleet, and waits until it answers.
    func startOther(_ name: String, agent: String) async throws -> Daemon {
        let other = try site.start(
            at: "\(Programs.directory)/privyseald", ["serve", "--config", writeOther(name, agent: agent)])
        try #require(await site.agentAnswers(on: "\(site.directory)/\(name).sock"), "\(other.text)")
        return other
    }

    /// Runs the client with that agent.
    func ask(_ name: String, _ arguments: String...) async throws -> Programs.Outcome {
        try await Programs.run(
            "privyseal", arguments, environment: ["PRIVYSEAL_SOCKET": "\(site.directory)/\(name).sock"])
    }

    func issue() async throws -> String {
        try await site.output("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
    }

    func verifies(_ jwt: String) async throws -> Bool {
        let client = try await site.connect()
        let documents = try await client.call(GetDiscoveryParameters(issuer: "demo"))
        await client.close()
        let verifier = try await JWTVerifier(keySet: Array(documents.jwks.body.utf8))
        return (try? verifier.verify(jwt, now: Date().timeIntervalSince1970)) != nil
    }

    /// Everything under the prefix.
    func raw() async throws -> [EtcdKeyValue] {
        try await EtcdGateway.with([server.endpoint]) { try await $0.read(.prefix(prefix)).values }
    }

    /// Everything that the store has, by what follows the deployment.
    func records() async throws -> [String: String] {
        let pairs = try await raw().map { value in
            let parts = value.name.dropFirst(prefix.count + 1).split(separator: "/", maxSplits: 2)
            return (String(parts[2]), String(decoding: value.value, as: UTF8.self))
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    /// Writes what anybody with access to etcd could.
    func write(_ records: [String: String]) async throws {
        let first = try #require(try await raw().first).name.dropFirst(prefix.count + 1).split(separator: "/", maxSplits: 2)
        try await EtcdGateway.with([server.endpoint]) { gateway in
            for (name, value) in records {
                try await gateway.put("\(prefix)/\(first[0])/\(first[1])/\(name)", Array(value.utf8))
            }
        }
    }

    /// What the agent's health says is wrong.
    func problems() async throws -> String {
        let client = try await site.connect()
        let health = try await client.call(HealthParameters())
        await client.close()
        return health.problems.map(\.message).joined(separator: "\n")
    }

    /// Has this lie under the prefix and nothing else, as a restored snapshot would.
    func restore(_ values: [EtcdKeyValue]) async throws {
        try await EtcdGateway.with([server.endpoint]) { gateway in
            _ = try await gateway.carryOut(EtcdTransaction(success: [.delete(.prefix(prefix))]))
            for value in values { try await gateway.put(value.name, value.value) }
        }
    }
}

private typealias Scene = EtcdScene

@Suite(
    "privyseald with its store in etcd",
    .enabled(if: EtcdServer.isInstalled, "etcd-server is not installed; what its commands do with a store in etcd is left out"))
struct StoreInEtcdTests {
    @Test("makes the store once, and everything that an agent can do works on it")
    func life() async throws {
        try await Scene.with { scene in
            let (site, place) = (scene.site, "\(scene.prefix) in etcd")
            let before = try await scene.privyseald("check")
            #expect(before.status == 0 && before.output.contains("there is no store \(place) yet"), "\(before)")
            let rehearsed = try await scene.privyseald("check", "--start")
            #expect(rehearsed.status == 78, "\(rehearsed)")
            let missing = try await scene.privyseald("serve")
            #expect(
                missing.status == 78 && missing.errors.contains("there is no store in etcd under \(scene.prefix)"), "\(missing)")
            #expect(missing.errors.contains("privyseald init"), "\(missing)")
            #expect(try await scene.raw().isEmpty)

            let made = try await scene.privyseald("init")
            #expect(made.status == 0 && made.output.hasPrefix("made the store \(place) of deployment "), "\(made)")
            let again = try await scene.privyseald("init")
            #expect(again.status == 1 && again.errors.contains("the store \(place) is there already"), "\(again)")
            #expect(try await scene.privyseald("check", "--start").status == 0)

            let agent = try await site.startAgent()
            try await scene.create()
            let (first, jwt) = (try await scene.show(), try await scene.issue())
            try await scene.rotate()
            #expect(try await scene.show() != first)
            #expect(try await scene.verifies(jwt))

            // Beside the agent: what only reads.
            for safe in ["check", "reconcile --dry-run", "audit key"] {
                let outcome = try await scene.privyseald(safe)
                #expect(outcome.status == 0, "\(safe): \(outcome)")
            }
            for unsafe in ["reconcile", "replace-token", "token pin-corrected", "init"] {
                let outcome = try await scene.privyseald(unsafe)
                #expect(
                    outcome.status == 1 && outcome.errors.contains("process \(agent.process.processIdentifier)"), "\(outcome)")
            }
            let start = try await scene.privyseald("check", "--start")
            #expect(start.status == 1 && start.errors.contains("already serves"), "\(start)")

            try await site.restartAgent()
            #expect(try await scene.verifies(jwt))
            #expect(try await scene.verifies(scene.issue()))
            #expect(await site.agent?.end() == 0)
            #expect(try await scene.privyseald("reconcile").status == 0)
            let none = try await scene.privyseald("token pin-corrected")
            #expect(none.status == 0 && none.output.contains("no PIN has been refused"), "\(none)")
        }
    }

    @Test("ends with one line of what and one of what to do where the configuration leads to nothing that works")
    func faults() async throws {
        try await Scene.with { scene in
            let site = scene.site
            let port = try FreePort.next()
            let password = "\(site.directory)/password"
            try AtomicFile.write(Array("secret".utf8), to: password, mode: 0o600)
            let exposed = "\(site.directory)/exposed"
            try AtomicFile.write(Array("secret".utf8), to: exposed, mode: 0o644)
            let cases: [(store: String, status: Int32, naming: [String])] = [
                (scene.store(endpoint: "http://127.0.0.1:\(port)"), 1, ["127.0.0.1:\(port)", "refused the connection"]),
                (
                    scene.store(endpoint: scene.server.endpoint.url.replacing("http:", with: "https:")), 1,
                    ["etcd at https://127.0.0.1"]
                ),
                (scene.store(more: ", user: u, passwordFile: \(password)"), 1, ["no authentication", "auth enable"]),
                (scene.store(more: ", user: u, passwordFile: \(exposed)"), 1, ["0644", "chmod 0600 \(exposed)"]),
                (scene.store(more: ", user: u, passwordFile: \(site.directory)/none"), 1, ["\(site.directory)/none"]),
                (
                    scene.store(
                        endpoint: scene.server.endpoint.url.replacing("http:", with: "https:"), more: ", ca: \(password)"),
                    78, ["holds no certificate"]
                ),
                (scene.store(memory: "none/fleet.json"), 78, ["\(site.directory)/none"]),
                (scene.store().replacing("10s", with: "1s"), 78, ["agent.yaml:3", "10s to 10m"]),
            ]
            for (store, status, naming) in cases {
                try site.writeAgentConfiguration(replacing: ["store: { sqlite: \(site.directory)/store.db }": store])
                for command in [["check"], ["check", "--start"], ["serve"], ["init"]] {
                    let outcome = try await Programs.run("privyseald", command + ["--config", site.agentConfiguration])
                    #expect(outcome.status == status, "\(store) \(command): \(outcome)")
                    let lines = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") || $0.hasPrefix("hint: ") }
                    #expect(lines.count == 2, "\(store) \(command): \(outcome.errors)")
                    for name in naming { #expect(outcome.errors.contains(name), "\(store) \(command): \(outcome.errors)") }
                }
            }
            #expect(try await scene.raw().isEmpty)
        }
    }

    @Test("moves the store to etcd and back with everything that is in it; the one that was left says where it went")
    func moves() async throws {
        try await Scene.with { scene in
            let site = scene.site
            let (there, back) = (
                try scene.write("etcd.yaml", store: scene.store()), try scene.write("sqlite.yaml", store: scene.sqlite)
            )
            try site.writeAgentConfiguration()
            let agent = try await site.startAgent()
            try await scene.create()
            try await scene.rotate()
            let (kid, jwt, url) = (
                try await scene.show(), try await scene.issue(), try await scene.show("oidcIssuerProfile.issuerUrl")
            )
            func move(_ to: String, _ target: String, _ more: String...) async throws -> Programs.Outcome {
                try await Programs.run(
                    "privyseald",
                    ["store", "move", "--to", to, "--config", site.agentConfiguration, "--target", target] + more)
            }

            let busy = try await move("etcd", there, "--yes")
            #expect(busy.status == 1 && busy.errors.contains("process \(agent.process.processIdentifier)"), "\(busy)")
            #expect(await agent.end() == 0)
            let wrong = try await move("sqlite", there, "--yes")
            #expect(wrong.status == 64 && wrong.errors.contains("--to sqlite"), "\(wrong)")
            let plan = try await move("etcd", there, "--dry-run")
            #expect(plan.status == 0 && plan.output.contains("1 issuers with 3 keys"), "\(plan)")
            #expect(try await scene.raw().isEmpty && !FileManager.default.fileExists(atPath: "\(site.directory)/fleet.json"))
            let unasked = try await move("etcd", there)
            #expect(unasked.status == 1 && unasked.errors.contains("--yes"), "\(unasked)")

            let moved = try await move("etcd", there, "--yes")
            #expect(moved.status == 0 && moved.output.contains("put the store section of \(there) into"), "\(moved)")
            let twice = try await move("etcd", there, "--yes")
            #expect(twice.status == 0 && twice.output.contains("already"), "\(twice)")
            for command in [["serve"], ["check"], ["backup", "--to", "\(site.directory)/late.db"], ["reconcile"]] {
                let outcome = try await Programs.run("privyseald", command + ["--config", site.agentConfiguration])
                #expect(outcome.status == 78, "\(command): \(outcome)")
                #expect(outcome.errors.contains("has been moved to \(scene.prefix) in etcd"), "\(command): \(outcome)")
            }

            try site.writeAgentConfiguration(replacing: scene.inEtcd)
            let second = try await site.startAgent()
            #expect(try await scene.show() == kid)
            #expect(try await scene.verifies(jwt))
            try await scene.rotate()
            let newer = try await scene.show()
            #expect(await second.end() == 0)

            let returned = try await move("sqlite", back, "--yes")
            #expect(returned.status == 0, "\(returned)")
            let left = try await scene.privyseald("serve")
            #expect(left.status == 78 && left.errors.contains("has been moved to \(site.directory)/moved.db"), "\(left)")
            try site.writeAgentConfiguration(replacing: ["\(site.directory)/store.db": "\(site.directory)/moved.db"])
            try await site.startAgent()
            #expect(try await scene.show() == newer)
            #expect(try await scene.show("oidcIssuerProfile.issuerUrl") == url)
            #expect(try await scene.verifies(scene.issue()))
        }
    }

    @Test("a backup is a file; moved into an etcd that has lost everything it waits for an operator")
    func backup() async throws {
        try await Scene.with { scene in
            let (site, backup) = (scene.site, scene.site.directory + "/backup.db")
            #expect(try await scene.privyseald("init").status == 0)
            let agent = try await site.startAgent()
            try await scene.create()
            #expect(try await scene.privyseald("backup", "--to", backup).status == 0)
            let again = try await scene.privyseald("backup", "--to", backup)
            #expect(again.status == 1 && again.errors.contains("replaces nothing"), "\(again)")
            try await scene.rotate()
            let (last, jwt) = (try await scene.show(), try await scene.issue())
            #expect(await agent.end() == 0)

            try await scene.restore([])
            let lost = try await scene.privyseald("serve")
            #expect(lost.status == 78 && lost.errors.contains("restore etcd's snapshot"), "\(lost)")
            let source = try scene.write("backup.yaml", store: "store: { sqlite: \(backup) }")
            let moved = try await Programs.run(
                "privyseald", ["store", "move", "--to", "etcd", "--config", source, "--target", site.agentConfiguration, "--yes"])
            #expect(moved.status == 0, "\(moved)")

            let restored = try await site.startAgent()
            let refused = try await site.privyseal("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
            #expect(refused.status == 1 && refused.errors.contains("quarantine"), "\(refused.errors)")
            let busy = try await scene.privyseald("recover", "--restored", "--retain", last, "--yes")
            #expect(busy.status == 1 && busy.errors.contains("process \(restored.process.processIdentifier)"), "\(busy)")
            #expect(await restored.end() == 0)
            let done = try await scene.privyseald("recover", "--restored", "--retain", last, "--yes")
            #expect(done.status == 0 && done.output.contains("done: start the agent again"), "\(done)")
            try await site.startAgent()
            #expect(try await scene.verifies(jwt))
            #expect(try await scene.verifies(scene.issue()))
        }
    }

    @Test("a store that is lost from etcd is made anew from the token, also where somebody has made an empty one")
    func lost() async throws {
        try await Scene.with { scene in
            let site = scene.site
            #expect(try await scene.privyseald("init").status == 0)
            let agent = try await site.startAgent()
            try await scene.create()
            let (last, jwt, url) = (
                try await scene.show(), try await scene.issue(), try await scene.show("oidcIssuerProfile.issuerUrl")
            )
            #expect(await agent.end() == 0)
            let kept = try await scene.privyseald("recover", "--from-token", "--dry-run")
            #expect(kept.status == 1 && kept.errors.contains("it is not lost"), "\(kept)")
            try await scene.restore([])
            try FileManager.default.removeItem(atPath: "\(site.directory)/fleet.json")
            #expect(try await scene.privyseald("init", "--share-token").status == 0)
            let done = try await scene.privyseald(
                "recover", "--from-token", "--retain", last, "--issuer-url", "demo=\(url)", "--yes")
            #expect(done.status == 0, "\(done)")
            try await site.startAgent()
            #expect(try await scene.show("oidcIssuerProfile.issuerUrl") == url)
            #expect(try await scene.verifies(jwt))
            #expect(try await scene.verifies(scene.issue()))
        }
    }

    @Test("an etcd that was put back to an earlier day is decided about by recover --restored")
    func snapshot() async throws {
        try await Scene.with { scene in
            let site = scene.site
            #expect(try await scene.privyseald("init").status == 0)
            let agent = try await site.startAgent()
            try await scene.create()
            let earlier = try await scene.raw()
            try await scene.rotate()
            let (last, jwt) = (try await scene.show(), try await scene.issue())
            #expect(await agent.end() == 0)
            try await scene.restore(earlier)
            let done = try await scene.privyseald("recover", "--restored", "--retain", last, "--yes")
            #expect(done.status == 0, "\(done)")
            try await site.startAgent()
            #expect(try await scene.verifies(jwt))
            #expect(try await scene.verifies(scene.issue()))
        }
    }

    @Test("on another token nothing is made, signed or published; once the token is replaced its records are sealed anew")
    func replacedToken() async throws {
        try await Scene.with { scene in
            let site = scene.site
            #expect(try await scene.privyseald("init").status == 0)
            let agent = try await site.startAgent()
            try await scene.create()
            let (last, jwt) = (try await scene.show(), try await scene.issue())
            func sealKey() async throws -> String {
                let record = try #require(try await scene.records()["issuers/demo"])
                return String(try #require(record.firstMatch(of: #/"seal":"([a-z0-9]*:[0-9a-f]*):/#)).output.1)
            }
            let first = try await sealKey()
            #expect(await agent.end() == 0)
            try await SoftHSMToken.with { new in
                try site.writeAgentConfiguration(
                    replacing: scene.inEtcd.merging([
                        site.token.modulePath: new.modulePath, site.token.pinFile: new.pinFile,
                    ]) { $1 })
                let wrong = try await site.startAgent()
                #expect(await poll("what health says") { try await scene.problems().contains("none of the keys") })
                #expect(try await site.privyseal("jwt", "issue", "demo", "--subject", "me", "--audience", "api").status != 0)
                #expect(await wrong.end() == 0)
                let objects = try new.session().findObjects([])
                #expect(objects.isEmpty, "what an agent makes on a token is the deployment's")
                #expect(try await sealKey() == first)

                let done = try await scene.privyseald("replace-token", "--yes")
                #expect(done.status == 0, "\(done)")
                #expect(try await sealKey() != first)
                try await site.startAgent()
                #expect(try await scene.verifies(jwt))
                #expect(try await scene.verifies(scene.issue()))
                #expect(try await scene.show() != last)
                #expect(await poll("order") { try await scene.problems().isEmpty })
                #expect(await site.agent?.end() == 0)
            }
        }
    }

    @Test("who writes to etcd without a session with the token has nothing published, signed or destroyed, and is noticed")
    func injection() async throws {
        try await Scene.with { scene in
            let site = scene.site
            #expect(try await scene.privyseald("init").status == 0)
            try await site.startAgent()
            for name in ["demo", "other"] { try await scene.create(name) }
            let earlier = try await scene.records()
            try await scene.rotate()
            let genuine = try await scene.records()
            let url = try await scene.show("oidcIssuerProfile.issuerUrl")
            let frontend = try await site.startFrontend()
            func keySet() async throws -> String { try await site.get(url + "openid/v1/jwks").body }
            let (published, kid) = (try await keySet(), try await scene.show())
            #expect(published.contains(kid))

            let record = try #require(genuine["issuers/demo"])
            let standby = try #require(record.firstMatch(of: #/"kid":"([^"]*)"[^}]*"state":"standby"/#)?.output.1)
            let settings = record.replacing(#""maximumLifetime":86400"#, with: #""maximumLifetime":86399"#)
            let attacks: [(what: String, records: [String: String], said: String)] = [
                ("a key", ["issuers/demo": record.replacing(standby, with: "Zm9yZWlnbg")], "cannot be believed"),
                ("settings", ["issuers/demo": settings], "cannot be believed"),
                ("another issuer's record", ["issuers/demo": genuine["issuers/other"] ?? ""], "cannot be believed"),
                ("an old record", ["issuers/demo": earlier["issuers/demo"] ?? ""], "older state of itself"),
                (
                    "an old record as if an operator had decided so",
                    [
                        "issuers/demo": earlier["issuers/demo"] ?? "",
                        "meta": (genuine["meta"] ?? "").replacing(#/"epoch":[0-9]+/#, with: #""epoch":99"#),
                    ], "that an operator had decided"
                ),
            ]
            for attack in attacks {
                #expect(attack.records.allSatisfy { genuine[$0.key] != $0.value }, "\(attack.what)")
                try await scene.write(attack.records)
                #expect(await poll("quarantine: \(attack.what)") { try await scene.problems().contains(attack.said) })
                #expect(try await site.privyseal("jwt", "issue", "demo", "--subject", "me", "--audience", "api").status != 0)
                let served = try await site.get(url + "openid/v1/jwks")
                #expect(served.status != 200 || served.body == published, "\(attack.what): \(served)")
                try await scene.write(genuine.filter { attack.records.keys.contains($0.key) })
                #expect(await poll("the end of \(attack.what)") { try await scene.problems().isEmpty })
                #expect(try await scene.verifies(scene.issue()))
                #expect(try await keySet() == published, "\(attack.what)")
            }

            let active = try #require(record.firstMatch(of: #/"keyID":"([0-9a-f]*)"[^}]*"state":"active"/#)?.output.1)
            let order =
                #"{"by":{"agent":"a","incarnation":"1"},"change":"1","group":"1","issuer":"other","order":0,"requestedAt":0,"stray":false}"#
            try await scene.write(["destructions/\(active)": order])
            #expect(await poll("the destruction") { try await scene.problems().contains("it is left alone") })
            #expect(try await scene.verifies(scene.issue()))
            #expect(await frontend.end() == 0)
        }
    }

    @Test(
        "refuses beside the agent of another machine what has to be alone, and names it; one that has gone silent is waited out")
    func otherAgents() async throws {
        try await Scene.with { scene in
            let site = scene.site
            let (earlier, last) = try await scene.rotatedSince()
            let alone = try scene.write("sqlite.yaml", store: scene.sqlite)
            try await EtcdGateway.with([scene.server.endpoint]) { gateway in
                let member = FleetMember(id: "b", incarnation: "1", host: "elsewhere", release: "1", staleness: 0)
                let other = try await EtcdIssuerStore.open(
                    gateway, prefix: scene.prefix, user: .init(agent: "b", incarnation: "1", memory: nil))
                try await other.join(member)
                try await other.renew(clock: 1)
                func refused(_ outcome: Programs.Outcome) {
                    #expect(outcome.status == 1 && outcome.errors.contains("b on elsewhere"), "\(outcome)")
                    #expect(
                        outcome.errors.contains("hint: stop them first") || outcome.errors.contains("--dry-run"), "\(outcome)")
                }
                refused(try await scene.privyseald("reconcile"))
                refused(try await scene.privyseald("replace-token", "--yes"))
                refused(try await scene.privyseald("store move", "--to", "sqlite", "--target", alone, "--yes"))
                for safe in ["check", "reconcile --dry-run", "check --start", "audit key"] {
                    #expect(try await scene.privyseald(safe).status == 0, "\(safe)")
                }
                #expect(try await scene.privyseald("backup", "--to", site.directory + "/backup.db").status == 0)
                // Of what both agree about nothing is decided.
                #expect(try await scene.privyseald("recover", "--restored", "--yes").status == 0)

                try await scene.restore(earlier)
                try await other.join(member)
                try await other.renew(clock: 2)
                refused(try await scene.privyseald("recover", "--restored", "--retain", last, "--yes"))
                try await other.leave()
                // As one does that has just started, or whose machine has burnt down.
                try await other.join(member)
                let done = try await scene.privyseald("recover", "--restored", "--retain", last, "--yes")
                #expect(done.status == 0 && done.output.contains("waiting 3 s for"), "\(done)")
                // Of this machine there is what lay in the snapshot.
                #expect(try await !other.fleet().entries.contains { $0.member.id == "b" })
                await other.close()
            }
            // What a crash leaves behind is this machine's own.
            try await site.startAgent()
            await site.agent?.end(SIGKILL)
            #expect(try await scene.privyseald("reconcile").status == 0)
        }
    }

    @Test("agents do not start while a command is alone with the store, nor once it was cut off, until it has gone on")
    func cutOffCommand() async throws {
        try await Scene.with { scene in
            let site = scene.site
            let (earlier, last) = try await scene.rotatedSince()
            try await scene.restore(earlier)
            // What a command leaves that was killed once it was alone.
            try await EtcdGateway.with([scene.server.endpoint]) { gateway in
                let store = try await EtcdIssuerStore.open(
                    gateway, prefix: scene.prefix, user: .init(agent: "command", incarnation: "1", memory: nil),
                    admitting: [.live, .recovering])
                _ = try await store.beginRecovery()
                await store.close()
            }
            let refused = try site.launchAgent()
            #expect(await poll("the refusal") { refused.text.contains("has begun and not ended") }, "\(refused.text)")
            #expect(refused.text.contains("run the same privyseald command again"), "\(refused.text)")
            #expect(await refused.end(SIGKILL) != 0)
            // Neither one that has nothing to do nor one that is not agreed to takes it away.
            #expect(try await scene.privyseald("replace-token", "--yes").status != 0)
            #expect(try await scene.privyseald("check", "--start").status != 0)
            let done = try await scene.privyseald("recover", "--restored", "--retain", last, "--yes")
            #expect(done.status == 0, "\(done)")
            try await site.startAgent()
            #expect(try await scene.verifies(scene.issue()))
        }
    }

    @Test(
        "two agents on one token sign for the same issuers, one goes on when the other is killed, and no third has an id of theirs"
    )
    func two() async throws {
        try await Scene.with { scene in
            let site = scene.site
            try site.writeAgentConfiguration(
                replacing: ["store: { sqlite: \(site.directory)/store.db }": scene.store(agent: "a")])
            #expect(try await scene.privyseald("init").status == 0)
            let tried = try await scene.privyseald("token fence-test")
            #expect(tried.status == 0, "\(tried)")
            let first = try await site.startAgent()
            let taken = try await scene.privyseald("serve", config: scene.writeOther("other", agent: "a"))
            #expect(taken.status == 1 && taken.errors.contains("another agent has the id a"), "\(taken)")
            let second = try await scene.startOther("other", agent: "b")
            func issueAtOther() async throws -> Programs.Outcome {
                try await scene.ask("other", "jwt", "issue", "demo", "--subject", "me", "--audience", "api")
            }

            try await scene.create()
            var jwt = ""
            #expect(
                await poll("a JWT by the other agent") {
                    let outcome = try await issueAtOther()
                    jwt = outcome.output.trimmingCharacters(in: .newlines)
                    return outcome.status == 0
                })
            #expect(try await scene.verifies(jwt))
            let rotated = try await scene.ask("other", "rotate", "demo", "--yes", "-o", "json")
            #expect(rotated.status == 0, "\(rotated)")
            let kid = try await scene.ask("other", "issuer", "show", "demo", "--query", "activeKid", "-o", "tsv").output
            #expect(
                await poll("the rotation") { try await scene.show() == kid.trimmingCharacters(in: .newlines) })
            #expect(try await scene.verifies(scene.issue()))
            // Which of the two this token does was tried on one machine only.
            let stops = !tried.output.contains("does not stop")
            let client = try await site.connect()
            let revoked = try await client.call(RevokeKeyParameters(kid: scene.show()))
            #expect(revoked.settlement?.keysDestroyed == true && revoked.settlement?.destroyedKeysStop == stops, "\(revoked)")
            #expect(try await client.call(HealthParameters()).fleet?.destroyedKeysStop == stops)
            await client.close()
            await first.end(SIGKILL)
            #expect(try await issueAtOther().status == 0)
            // The lock says that nobody goes by what the former start has left behind.
            try await site.startAgent()
            #expect(try await scene.verifies(scene.issue()))
            #expect(await second.end() == 0)
            #expect(await site.agent?.end() == 0)
        }
    }

    @Test("the audit logs of three agents are proven together, and one that is cut off is named by the others")
    func auditLogs() async throws {
        try await Scene.with { scene in
            let site = scene.site
            try site.writeAgentConfiguration(
                replacing: ["store: { sqlite: \(site.directory)/store.db }": scene.store(agent: "a")])
            #expect(try await scene.privyseald("init").status == 0)
            let first = try await site.startAgent()
            var others: [Daemon] = []
            for name in ["b", "c"] { others.append(try await scene.startOther(name, agent: name)) }
            try await scene.create()
            let rotated = try await scene.ask("b", "rotate", "demo", "--yes", "-o", "json")
            #expect(rotated.status == 0, "\(rotated)")
            let kid = try await scene.show()
            // On a busy machine an agent may not have had what it goes by confirmed in time.
            let isRevoked = await poll("the revocation") {
                let revoked = try await scene.ask("c", "keys", "revoke", kid, "--yes")
                guard revoked.status != 0 else { return true }
                return try await scene.show() != kid
            }
            #expect(isRevoked)
            #expect(await first.end() == 0)
            for other in others { #expect(await other.end() == 0) }

            let key = try await scene.privyseald("audit key")
            for name in ["a", "b", "c"] { #expect(key.output.contains("agent: \(name)\nkid: "), "\(key)") }
            let pem = site.directory + "/audit.pem"
            try key.output.write(toFile: pem, atomically: true, encoding: .utf8)
            let logs = ["audit.log", "b.log", "c.log"].map { "\(site.directory)/\($0)" }
            func verified() async throws -> Programs.Outcome {
                try await Programs.run("privyseald", ["audit", "verify"] + logs + ["--public-key", pem])
            }
            let whole = try await verified()
            #expect(whole.status == 0 && whole.output.contains("the fleet: intact: 3 logs, "), "\(whole)")

            let lines = try String(contentsOfFile: logs[0], encoding: .utf8).split(separator: "\n")
            let last = try #require(lines.lastIndex { $0.contains(#""type":"head""#) })
            try (lines[..<(last - 1)].joined(separator: "\n") + "\n").write(toFile: logs[0], atomically: false, encoding: .utf8)
            let cut = try await verified()
            #expect(cut.status == 1 && cut.output.contains("the log of agent a is cut off: its head of record "), "\(cut)")
            try await site.startAgent()
            #expect(
                await poll("health") {
                    try await site.privyseal("health").errors.contains("the audit log of this agent was cut off")
                })
        }
    }

    @Test("goes on where a move was killed, whenever that was")
    func killed() async throws {
        try await Scene.with { scene in
            let site = scene.site
            try site.writeAgentConfiguration()
            let agent = try await site.startAgent()
            try await scene.create()
            try await scene.rotate()
            #expect(await agent.end() == 0)
            for written in [1, 3, 8, 14] {
                let (prefix, path) = ("\(scene.prefix)-\(written)", "\(site.directory)/store-\(written).db")
                try FileManager.default.copyItem(atPath: site.directory + "/store.db", toPath: path)
                let source = try scene.write("source-\(written).yaml", store: "store: { sqlite: \(path) }")
                let memory = "memory-\(written).json"
                let target = try scene.write(
                    "target-\(written).yaml", store: scene.store(memory: memory, prefix: prefix))
                let move = ["store", "move", "--to", "etcd", "--config", source, "--target", target, "--yes"]
                try await EtcdGateway.with([scene.server.endpoint]) { gateway in
                    let process = try site.start(at: "\(Programs.directory)/privyseald", move)
                    while process.process.isRunning, try await gateway.count(.prefix(prefix)) < written {}
                    await process.end(SIGKILL)
                    let again = try await Programs.run("privyseald", move)
                    #expect(again.status == 0, "after \(written): \(again)")
                    let user = EtcdIssuerStore.User(agent: "t", incarnation: "1", memory: nil)
                    let moved = EtcdMovableStore(gateway, prefix: prefix, user: user, reading: true)
                    var expected = try await SQLiteMovableStore(path: path).export()
                    // What is about this machine lies in its memory.
                    (expected.frontends, expected.refusedPIN) = (0, nil)
                    #expect(try await moved.export() == expected, "after \(written)")
                    let left = try await scene.privyseald("check", config: source)
                    #expect(left.status == 78 && left.errors.contains("has been moved to \(prefix) in etcd"), "\(left)")
                    #expect(try await scene.privyseald("check", config: target).status == 0)
                }
            }
        }
    }
}
