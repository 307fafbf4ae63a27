import AgentClient
import AgentProtocol
import Foundation
import JOSE
import Platform
import Testing

@testable import Agent

@Suite("An agent with access rules")
struct AccessTests {
    /// Runs an agent with issuers `prod` and `staging`, then puts rules in force for this process's user.
    private func restricted(
        _ rules: @escaping @Sendable (inout AccessRule) -> Void, methods: Set<AgentProtocol.Method>?,
        _ body: (AgentFixture, AgentConnection) async throws -> Void
    ) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create("prod")
            try await client.create("staging")
            await agent.settle()
            var rule = AccessRule(name: "test", user: getuid(), methods: methods)
            rules(&rule)
            agent.useAccess([rule])
            try await body(agent, client)
        }
    }

    @Test("a caller sees only the issuers it may, in every list and by every name")
    func visibility() async throws {
        try await restricted({ $0.issuers = [Glob("prod")].compactMap(\.self) }, methods: nil) { agent, client in
            #expect(try await client.call(IssuerListParameters()).issuers.map(\.name) == ["prod"])
            #expect(Set(try await client.keys().map(\.issuer)) == ["prod"])
            let (snapshot, _) = try await client.watch()
            #expect(snapshot.issuers.map(\.name) == ["prod"])
            // What exists and what does not is refused alike.
            for name in ["staging", "nothing"] {
                for call in [
                    { _ = try await client.sign(name) }, { _ = try await client.status(name) },
                    { _ = try await client.rotate(name) }, { _ = try await client.discovery(name) },
                    { _ = try await client.create(name) }, { _ = try await client.keys(name) },
                ] as [() async throws -> Void] {
                    #expect(try await refusal { try await call() }.reason == .permissionDenied)
                }
            }
            _ = try await client.sign("prod")
        }
    }

    @Test("a key of an issuer that is not to be seen cannot be told from one that is not there")
    func foreignKid() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create("prod")
            let hidden = try await client.create("staging").activeKid
            agent.useAccess([Self.rule { $0.issuers = [Glob("prod")].compactMap(\.self) }])
            let one = try await refusal { _ = try await client.revoke(hidden) }
            let other = try await refusal { _ = try await client.revoke("no-such-kid") }
            #expect(one.reason == .keyNotFound && other.reason == .keyNotFound)
            #expect(one.message.replacing(hidden, with: "KID") == other.message.replacing("no-such-kid", with: "KID"))
        }
    }

    @Test("nor by what a refusal takes: neither waits for the disk, asks the store or leaves another record")
    func workForForeignKid() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create("prod")
            let hidden = try await client.create("staging").activeKid
            await agent.settle()
            agent.useAccess([Self.rule { $0.issuers = [Glob("prod")].compactMap(\.self) }])
            let stored = Locked(0)
            agent.failures.fail { _ in
                stored.withLock { $0 += 1 }
                return false
            }
            for kid in [hidden, "no-such-kid"] {
                for isDryRun in [false, true] {
                    _ = try await refusal { _ = try await client.call(RevokeKeyParameters(kid: kid, dryRun: isDryRun)) }
                }
            }
            // An attempt is what is brought to the disk; these are counted into one record.
            #expect(await eventually { try !agent.outcomes("revoke-key").isEmpty })
            #expect(try agent.outcomes("revoke-key") == ["failed"])
            #expect(stored.withLock { $0 } == 0)
        }
    }

    @Test("changes of issuers that are not to be seen are not notified")
    func notifications() async throws {
        try await restricted({ $0.issuers = [Glob("prod")].compactMap(\.self) }, methods: nil) { agent, client in
            let watcher = try await agent.connect()
            let (_, changes) = try await watcher.watch()
            _ = try await agent.server?.registry.rotate("staging", .rotate(), dryRun: false)
            try await client.rotate("prod")
            var seen: Set<String> = []
            for try await change in changes {
                seen.formUnion(change.issuers.map(\.name))
                if seen.contains("prod") { break }
            }
            #expect(seen == ["prod"])
            await watcher.close()
        }
    }

    @Test("health says that something is wrong, and not with whom, to a caller that may not see all issuers")
    func health() async throws {
        try await restricted({ $0.issuers = [Glob("prod")].compactMap(\.self) }, methods: nil) { agent, client in
            agent.failures.fail { if case .record = $0 { true } else { false } }
            _ = try await agent.server?.registry.rotate("staging", .rotate(), dryRun: false)
            await agent.settle()
            let shown = try await client.health()
            #expect(shown.status == "degraded" && !shown.problems.isEmpty)
            #expect(shown.problems.allSatisfy { !$0.message.contains("staging") })
            agent.useAccess([Self.rule { _ in }])
            #expect(try await client.health().problems.contains { $0.message.contains("staging") })
        }
    }

    @Test("bounds hold for what is signed, given as claims or as a payload")
    func bounds() async throws {
        try await restricted(
            {
                $0.subjects = [Glob("billing*")].compactMap(\.self)
                $0.claims = []
                $0.maximumLifetime = 1_200
            }, methods: [.sign]
        ) { agent, client in
            try await client.sign(claims: ["sub": "billing", "aud": "api"], lifetime: 600)
            let denied: [JSONValue] = [
                ["sub": "shop", "aud": "api"], ["aud": "api"], ["sub": "billing", "aud": "api", "groups": ["admin"]],
            ]
            for claims in denied {
                let error = try await refusal { try await client.sign(claims: claims, lifetime: 600) }
                #expect(error.reason == .permissionDenied)
            }
            // The issuer's default lifetime is longer, and is not shortened in silence.
            let long = try await refusal { try await client.sign(claims: ["sub": "billing", "aud": "api"], lifetime: nil) }
            #expect(long.reason == .tokenLifetimeExceeded)
            #expect(try await refusal { _ = try await client.status("prod") }.reason == .permissionDenied)
        }
    }

    @Test(
        "a rule's bounds hold for relying parties that do not regard the case of names, as Go's do not",
        arguments: [
            #""SUB":"system:admin","AUD":"victim","EXP":4102444800"#, #""SUB":"system:admin""#, #""\u017fub":"system:admin""#,
            #""ſub":"system:admin""#, #""Aud":["victim"]"#, #""eXp":4102444800"#, #""ISS":"https://other.example.com/""#,
            #""s_ub":"system:admin""#, #""sub\u0000":"system:admin""#, #""__proto__":{"nbf":1}"#, #""Groups":["admin"]"#,
            #""groups":[{"a":1,"A":2}]"#,
        ])
    func caseless(_ more: String) async throws {
        try await restricted(
            {
                $0.subjects = [Glob("system:serviceaccount:shop:*")].compactMap(\.self)
                $0.audiences = [Glob("sts.amazonaws.com")].compactMap(\.self)
                $0.claims = ["groups"]
                $0.maximumLifetime = 1_200
            }, methods: [.sign, .issuerStatus]
        ) { agent, client in
            let now = agent.clock.now
            let issuer = try await client.status("prod").issuer
            let allowed = #""sub":"system:serviceaccount:shop:cart","aud":"sts.amazonaws.com","exp":\#(now + 600)"#
            let complete = allowed + ",\"iss\":\"\(issuer)\",\"iat\":\(now)"
            func sign(_ members: String, _ payload: String) async throws {
                for parameter in [
                    "\"claims\":{\(members)}", "\"payload\":\"\(Base64URL.encodeToString(Array("{\(payload)}".utf8)))\"",
                ] {
                    let params = Array("{\"issuer\":\"prod\",\(parameter)}".utf8)
                    _ = try await client.callRaw(.sign, params: JSONSlice(validating: params))
                }
            }
            try await sign(allowed, complete)
            for (claims, payload) in [
                (allowed + "," + more, complete + "," + more), (more + "," + allowed, more + "," + complete),
            ] {
                #expect(try await refusal { try await sign(claims, complete) }.reason == .claimsInvalid)
                #expect(try await refusal { try await sign(allowed, payload) }.reason == .claimsInvalid)
            }
        }
    }

    @Test("a rate is kept, and other callers' requests go on when it is raised")
    func rate() async throws {
        try await restricted({ $0.rate = AccessRule.Rate(perSecond: 1, burst: 5) }, methods: nil) { agent, client in
            for _ in 1...5 { _ = try await client.sign("prod") }
            let error = try await refusal { _ = try await client.sign("prod") }
            #expect(error.reason == .rateLimited && error.retryable)
            agent.clock.pass(2)
            for _ in 1...2 { _ = try await client.sign("prod") }
            #expect(try await refusal { _ = try await client.sign("prod") }.reason == .rateLimited)
            // A reload, as SIGHUP has one, gives nobody another burst.
            agent.useAccess([Self.rule { $0.rate = AccessRule.Rate(perSecond: 1, burst: 5) }])
            #expect(try await refusal { _ = try await client.sign("prod") }.reason == .rateLimited)
        }
    }

    @Test("connections over a rule's number are told so and closed, and those that are open go on")
    func connections() async throws {
        try await restricted({ $0.connections = 2 }, methods: nil) { agent, client in
            let second = try await agent.connect()
            _ = try await second.sign("prod")
            let third = try RawSocket(agent.socketPath)
            let error = try await third.reply()["error"]
            #expect(error?["data"]?["reason"]?.string == "RATE_LIMITED")
            #expect(error?["message"]?.string?.contains("2 connections") == true)
            await #expect(throws: RawSocketError.self) { _ = try await third.reply() }
            await second.close()
            #expect(
                await eventually {
                    let again = try await agent.connect()
                    _ = try await again.sign("prod")
                    await again.close()
                    return true
                })
            _ = try await client.sign("prod")
        }
    }

    @Test("a connection that says nothing of use is closed; one that watches is not")
    func idle() async throws {
        try await AgentFixture.stopped { agent in
            agent.configuration.withLock { $0.limits.idleSeconds = 10 }
            try await agent.start()
            let silent = try RawSocket(agent.socketPath)
            try await agent.connected { watcher in
                let (_, changes) = try await watcher.watch()
                // A byte now and then is no line.
                try? await silent.send(Array("{".utf8))
                await #expect(throws: RawSocketError.self) { _ = try await silent.reply() }
                try await watcher.create("demo")
                for try await change in changes where change.issuers.contains(where: { $0.name == "demo" }) { break }
            }
        }
    }

    static func rule(_ change: (inout AccessRule) -> Void) -> AccessRule {
        var rule = AccessRule(name: "test", user: getuid(), methods: nil)
        change(&rule)
        return rule
    }
}

extension AgentConnection {
    fileprivate func sign(claims: JSONValue, lifetime: Int?) async throws {
        _ = try await call(SignParameters(issuer: "prod", claims: claims, lifetimeSeconds: lifetime))
    }
}

extension AgentFixture {
    /// Puts rules in force, as a reload does.
    func useAccess(_ rules: [AccessRule]) {
        server?.gate.use(AccessPolicy(rules: rules, overflowUID: 65_534, overflowGID: 65_533))
    }
}
