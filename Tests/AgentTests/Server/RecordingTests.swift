import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import JOSE
import Platform
import Testing

@testable import Agent

@Suite("An agent that records")
struct RecordingTests {
    @Test("a signature leaves one record: who, with which key, for whom, for how long, and never the JWT")
    func signature() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            // A busy machine may take too long for the user's name at first: a record does without it then.
            #expect(
                await eventually {
                    try await agent.connected { _ = try await $0.sign() }
                    return try agent.audited("sign").last?["user"] != nil
                })
            let before = try agent.audited("sign").count
            let named = try await agent.connect()
            let result = try await named.sign(lifetime: 600)
            await named.close()
            let record = try #require(try agent.audited("sign").last)
            #expect(try agent.audited("sign").count == before + 1)
            let claims = try JSONValue(
                parsing: Base64URL.decode(String(result.jwt.split(separator: ".")[1])))
            #expect(record["uid"]?.integer == Int64(getuid()) && record["gid"]?.integer == Int64(getgid()))
            #expect(record["pid"]?.integer == Int64(getpid()))
            #expect(record["user"]?.string == UserAccount.name(ofUser: getuid()))
            #expect(record["exe"]?.string == ProcessExecutable.path(pid: getpid()))
            #expect(record["issuer"]?.string == "demo" && record["kid"]?.string == result.kid)
            #expect(record["jti"] == claims["jti"] && record["jti"] != nil)
            #expect(record["sub"]?.string == "billing" && record["aud"] == ["https://api"])
            #expect(record["lifetime"]?.integer == 600 && record["outcome"]?.string == "allowed")
            #expect(record["micros"]?.integer != nil)
            let text = try String(contentsOfFile: agent.auditPath, encoding: .utf8)
            #expect(!text.contains(result.signature) && !text.contains(result.jwt))
        }
    }

    @Test("a payload that is signed as it came leaves its own jti, or none")
    func payload() async throws {
        try await AgentFixture.with { agent, client in
            let issuer = try await client.create(standby: false).issuer
            let now = agent.clock.now
            for id in ["\"jti\":\"mine\",", ""] {
                let claims = "{\"iss\":\"\(issuer)\",\(id)\"aud\":\"a\",\"iat\":\(now),\"exp\":\(now + 600)}"
                let payload = Base64URL.encodeToString(Array(claims.utf8))
                _ = try await client.call(SignParameters(issuer: "demo", payload: payload))
            }
            #expect(try agent.audited("sign").map { $0["jti"]?.string } == ["mine", nil])
        }
    }

    @Test("a change leaves the attempt and its outcome, also when it fails; a dry run leaves one record")
    func changes() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            #expect(try agent.outcomes("issuer-create") == ["attempted", "allowed"])
            _ = try await refusal { try await client.create() }
            #expect(try agent.outcomes("issuer-create").suffix(2) == ["attempted", "failed"])
            #expect(try agent.audited("issuer-create").last?["reason"]?.string == "ISSUER_EXISTS")
            try await client.rotate(dryRun: true)
            #expect(try agent.outcomes("rotate") == ["allowed"])
            #expect(try agent.audited("rotate")[0]["dryRun"] == true)
            let rotated = try await client.rotate()
            #expect(try agent.outcomes("rotate") == ["allowed", "attempted", "allowed"])
            #expect(try agent.audited("rotate").last?["kid"]?.string == rotated.activeKid)
            _ = try await client.revoke(rotated.activeKid)
            #expect(try agent.audited("revoke-key").map { $0["kid"]?.string } == [rotated.activeKid, rotated.activeKid])
            #expect(try agent.audited("revoke-key").last?["issuer"]?.string == "demo")
        }
    }

    @Test("reading is recorded, but not health, version and get-discovery; what has no such method is")
    func reading() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            _ = try await client.health()
            _ = try await client.call(VersionParameters())
            _ = try await client.discovery()
            _ = try await client.status()
            _ = try await client.keys()
            _ = try await client.watch()
            _ = try await refusal { _ = try await client.status("nothing") }
            let socket = try RawSocket(agent.socketPath)
            _ = try await socket.ask(#"{"jsonrpc":"2.0","id":1,"method":"sing"}"#)
            let records = try agent.audited().drop { $0["method"]?.string == "issuer-create" }
            #expect(
                records.map { "\($0["method"]?.string ?? "") \($0["outcome"]?.string ?? "") \($0["reason"]?.string ?? "")" } == [
                    "issuer-status allowed ", "list-keys allowed ", "watch allowed ",
                    "issuer-status failed ISSUER_NOT_FOUND", "sing failed METHOD_NOT_FOUND",
                ])
        }
    }

    @Test("denials are recorded with what was asked for, and a flood of them is counted")
    func denials() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            agent.useAccess([AccessRule(name: "test", user: getuid(), methods: [.sign, .health])])
            for _ in 1...30 { _ = try await refusal { try await client.rotate() } }
            _ = try await refusal { _ = try await client.sign("other") }
            await agent.pass(11)
            agent.server?.audit.doWhatIsDue()
            let denied = try agent.audited("rotate").filter { $0["outcome"]?.string == "denied" }
            #expect(denied.count == 2)
            #expect(denied[0]["reason"]?.string == "PERMISSION_DENIED" && denied[0]["count"] == nil)
            #expect(denied[1]["count"]?.integer == 29)
            #expect(try agent.audited("sign").map { $0["issuer"]?.string } == ["other"])
        }
    }

    @Test("while the log cannot be written nothing is signed or changed, and once it can, everything is, without a restart")
    func unwritable() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            let before = try await client.status()
            agent.auditFaults.set { $0.room = 0 }
            // The first finds out.
            #expect(try await refusal { _ = try await client.sign() }.reason == .auditUnavailable)
            #expect(try await refusal { try await client.rotate() }.reason == .auditUnavailable)
            #expect(try await refusal { _ = try await client.status() }.reason == .auditUnavailable)
            let health = try await client.health()
            #expect(health.status == "unavailable" && health.audit.state == "unavailable")
            #expect(health.problems.contains { $0.component == "audit" && $0.message.contains("No space left") })
            _ = try await client.discovery()
            #expect(try await refusal { _ = try await client.sign() }.reason.isRetryable)
            agent.auditFaults.set { $0.room = .max }
            agent.clock.pass(2)
            #expect(await eventually { try await client.health().audit.state == "ok" })
            _ = try await client.sign()
            #expect(try await client.status().generation == before.generation)
            #expect(try agent.auditFindings().isEmpty)
        }
    }

    @Test("a change whose attempt cannot be brought to the disk is not made")
    func attemptNotOnDisk() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            let before = try await client.status().generation
            agent.auditFaults.set { $0.isSyncFailing = true }
            #expect(try await refusal { try await client.rotate() }.reason == .auditUnavailable)
            agent.auditFaults.set { $0.isSyncFailing = false }
            agent.clock.pass(2)
            #expect(await eventually { try await client.health().audit.state == "ok" })
            #expect(try await client.status().generation == before)
        }
    }

    @Test("a change that was made while the log broke is told as made, with a warning; what comes after is refused")
    func outcomeNotWritten() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            // The disk is full once the change has been committed.
            agent.failures.fail { [faults = agent.auditFaults] _ in
                faults.set { $0.room = 0 }
                return false
            }
            let result = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(lifetimeSeconds: 700)))
            #expect(result.issuer.generation == 2)
            #expect(result.warnings.contains { $0.contains("audit log") }, "\(result.warnings)")
            #expect(try await refusal { _ = try await client.sign() }.reason == .auditUnavailable)
            #expect(try agent.outcomes("issuer-update") == ["attempted"])
        }
    }

    @Test("a disk that never answers costs the change that waits for it, and nobody hangs")
    func hangingDisk() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            agent.auditFaults.set { $0.isSyncHanging = true }
            async let rotation = refusal { try await client.rotate() }
            let server = try #require(agent.server)
            // As `run()` does once a second.
            while server.audit.trouble == nil {
                server.audit.watchDisk()
                await Task.yield()
            }
            #expect(try await rotation.reason == .auditUnavailable)
            #expect(try await refusal { _ = try await client.sign() }.reason == .auditUnavailable)
            agent.auditFaults.set { $0.isSyncHanging = false }
            agent.clock.pass(2)
            #expect(await eventually { try await client.health().audit.state == "ok" })
            _ = try await client.rotate()
        }
    }

    @Test("while a write hangs, signatures wait for it, and health does not")
    func hangingWrite() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            _ = try await client.sign()
            agent.auditFaults.set { $0.isWriteHanging = true }
            let outcomes = Task {
                await withTaskGroup(of: Reason?.self) { group in
                    for _ in 1...8 {
                        group.addTask {
                            do {
                                _ = try await client.sign()
                                return nil
                            } catch {
                                return (error as? ProtocolError)?.reason ?? .internalError
                            }
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
            }
            let server = try #require(agent.server)
            try await agent.connected { other in
                while server.audit.trouble == nil {
                    server.audit.watchDisk()
                    _ = try await other.health()
                }
                #expect(try await other.health().audit.state != "ok")
            }
            agent.auditFaults.set { $0.isWriteHanging = false }
            // What was being written got through.
            let reasons = await outcomes.value
            #expect(reasons.count == 8 && reasons.allSatisfy { $0 == nil || $0 == .auditUnavailable })
            agent.clock.pass(2)
            #expect(await eventually { try await client.health().audit.state == "ok" })
        }
    }

    @Test("heads are signed at the start, after a rotation and at the end, and prove the log up to the last of them")
    func heads() async throws {
        try await AgentFixture.stopped { agent in
            agent.configuration.withLock { $0.audit.headInterval = 3_600 }
            try await agent.start()
            try await agent.connected { client in
                #expect(await eventually { try agent.audited().filter { $0["type"]?.string == "head" }.count == 1 })
                try await client.create(standby: false)
                try await client.rotate()
                #expect(await eventually { try agent.audited().filter { $0["type"]?.string == "head" }.count == 2 })
                _ = try await client.sign()
            }
            await agent.stop()
            let keys = try await AuditPublicKey.onToken(
                agent.configuration.withLock { $0 }, store: agent.store, deployment: agent.deployment,
                environment: agent.environment)
            var verification = AuditVerification(publicKeys: keys)
            try verification.read([agent.auditPath])
            #expect(verification.verdict == .proven)
            #expect(verification.proof?.seq == verification.last.map { $0 - 1 }, "all but the head itself")
        }
    }

    @Test("a token that cannot have the audit key signs JWTs, and health says that the log is not proven")
    func withoutAuditKey() async throws {
        try await AgentFixture.stopped { agent, token in
            try token.set("C_GenerateKeyPair return=CKR_FUNCTION_NOT_SUPPORTED")
            agent.configuration.withLock { $0.audit.headInterval = 3_600 }
            try await agent.start()
            try await agent.connected { client in
                #expect(await eventually { try await client.health().problems.contains { $0.component == "audit" } })
                #expect(try await client.health().status == "degraded")
                try token.set()
                agent.clock.pass(61)
                agent.server?.audit.doWhatIsDue()
                #expect(await eventually { try await !client.health().problems.contains { $0.component == "audit" } })
                try await client.create(standby: false)
                _ = try await client.sign()
            }
        }
    }

    @Test("failures that are all alike are counted, whatever they are, and those of what needs no record leave none")
    func failures() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            for _ in 1...20 {
                _ = try await refusal { _ = try await client.status("nothing") }
                _ = try await refusal { _ = try await client.discovery("nothing") }
            }
            await agent.pass(11)
            agent.server?.audit.doWhatIsDue()
            let failed = try agent.audited("issuer-status")
            #expect(failed.map { $0["count"]?.integer } == [nil, 19] && failed.allSatisfy { $0["outcome"]?.string == "failed" })
            #expect(try agent.audited("get-discovery").isEmpty)
        }
    }

    @Test("a schedule waits for a log that can be written")
    func scheduleWithoutLog() async throws {
        try await AgentFixture.with { agent, client in
            _ = try await client.call(
                IssuerCreateParameters(issuer: "demo", settings: .init(algorithm: "ES256", rotateEverySeconds: 2 * 86_400)))
            await agent.settle()
            let before = try await client.key("active")?.kid
            agent.auditFaults.set { $0.room = 0 }
            await agent.pass(2 * 86_400)
            #expect(try await refusal { _ = try await client.keys() }.reason == .auditUnavailable)
            agent.auditFaults.set { $0.room = .max }
            agent.clock.pass(2)
            #expect(await eventually { try await client.health().audit.state == "ok" })
            #expect(try await client.key("active")?.kid == before)
            await agent.settle()
            await agent.settle()
            #expect(try await client.key("active")?.kid != before)
        }
    }

    @Test("a scheduled rotation and the end of an overlap are noted, though nobody asked for them")
    func ownDeeds() async throws {
        try await AgentFixture.with { agent, client in
            _ = try await client.call(
                IssuerCreateParameters(issuer: "demo", settings: .init(algorithm: "ES256", rotateEverySeconds: 2 * 86_400)))
            await agent.settle()
            await agent.pass(2 * 86_400)
            await agent.settle()
            await agent.pass(86_401)
            let notes = try agent.audited().compactMap { $0["note"]?.string }
            #expect(notes.count { $0.hasPrefix("issuer demo was rotated by schedule to ") } == 1, "\(notes)")
            #expect(notes.count { $0.hasPrefix("the overlap of issuer demo is over for ") } == 1, "\(notes)")
        }
    }

    @Test("on reload the log goes on in a new file, and one that cannot be used is told while the rest is put in force")
    func reload() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(enabled: false, standby: false)
            try FileManager.default.moveItem(atPath: agent.auditPath, toPath: agent.auditPath + ".1")
            let reloaded = try await client.call(ReloadParameters())
            #expect(reloaded.warnings.isEmpty)
            _ = try await client.sign()
            #expect(try agent.audited("sign").count == 1)
            var verification = AuditVerification(publicKeys: [])
            try verification.read([agent.auditPath + ".1", agent.auditPath])
            #expect(verification.findings.isEmpty)
            try FileManager.default.moveItem(atPath: agent.auditPath, toPath: agent.auditPath + ".2")
            try Data("no record\n".utf8).write(to: URL(fileURLWithPath: agent.auditPath))
            try FileMode.set(0o600, of: agent.auditPath)
            let warnings = try await client.call(ReloadParameters()).warnings
            #expect(warnings.count == 1 && warnings[0].contains("no record of an audit log"), "\(warnings)")
            #expect(try agent.audited("reload", at: agent.auditPath + ".2").last?["outcome"]?.string == "allowed")
            _ = try await client.sign()
        }
    }
}

extension AgentFixture {
    var auditPath: String { configuration.withLock { $0.audit.path } }

    /// The records of a method, or all.
    func audited(_ method: String? = nil, at path: String? = nil) throws -> [JSONValue] {
        try String(contentsOfFile: path ?? auditPath, encoding: .utf8).split(separator: "\n")
            .map { try JSONValue(parsing: Array($0.utf8)) }
            .filter { method == nil ? $0["seq"]?.integer != 0 : $0["method"]?.string == method }
    }

    func outcomes(_ method: String) throws -> [String] {
        try audited(method).map { $0["outcome"]?.string ?? "" }
    }

    func auditFindings() throws -> [String] {
        var verification = AuditVerification(publicKeys: [])
        try verification.read([auditPath])
        return verification.findings.map(\.description)
    }
}
