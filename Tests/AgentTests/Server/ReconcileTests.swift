import Agent
import AgentClient
import AgentProtocol
import GRDB
import KeyLifecycle
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@testable import IssuerStore

@Suite("Reconciling while the agent runs")
struct ReconcileTests {
    @Test("a dry run shows the steps that the real one then takes")
    func dryRun() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            let there = try #require(KeyID(SystemRandom.bytes(KeyID.length)))
            let absent = try #require(KeyID(SystemRandom.bytes(KeyID.length)))
            let issuer = try #require(IssuerName("demo"))
            for keyID in [there, absent] {
                try await agent.store.record(
                    GenerationIntent(
                        keyID: keyID, issuer: issuer, algorithm: .es256, recordedAt: Timestamp(seconds: agent.clock.now)))
            }
            try agent.onToken { session in
                _ = try session.generateKeyPair(
                    .ec(.p256), id: there.bytes, label: "privyseal/\(agent.deployment)/demo")
            }
            let before = try await agent.store.contents()
            let shown = try await client.reconcile(dryRun: true)
            #expect(shown.actions.map(\.action) == ["abandon", "bury"])
            #expect(shown.actions.allSatisfy { !$0.done })
            #expect(try await agent.store.contents().intents == before.intents)
            #expect(shown.token.proven && shown.token.serial == shown.token.lastSerial)

            let done = try await client.reconcile(dryRun: false)
            #expect(done.actions.map(\.action) == shown.actions.map(\.action))
            #expect(done.actions.allSatisfy { $0.done })
            await agent.settle()
            #expect(try agent.privateKeysOnToken() == (try await client.liveKeyIDs()))
            let after = try await client.reconcile(dryRun: true)
            #expect(after.actions.isEmpty)
            #expect(after.findings.map(\.finding) == ["tombstone"])
        }
    }

    @Test("what others keep on the token is counted and left alone")
    func foreign() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            try agent.onToken { session in
                _ = try session.generateKeyPair(.ec(.p256), id: [1, 2], label: "somebody else's")
                _ = try session.generateKeyPair(.ec(.p256), id: [], label: "without an id")
                _ = try session.generateKeyPair(
                    .ec(.p256), id: SystemRandom.bytes(16), label: "privyseal/\(String(repeating: "a", count: 32))/demo")
            }
            let onToken = try agent.privateKeysOnToken().count
            let report = try await client.reconcile(dryRun: false)
            #expect(report.foreignObjects == 2 && report.objectsWithoutID == 2)
            #expect(report.otherDeployments.map(\.keys) == [1])
            #expect(report.findings.isEmpty && report.actions.isEmpty)
            #expect(try agent.privateKeysOnToken().count == onToken)
        }
    }

    @Test("another pair under the CKA_ID of a key to be destroyed is left alone, and health says so")
    func anotherPair() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            await agent.stop()
            let keyID = try #require(KeyID(SystemRandom.bytes(KeyID.length)))
            let issuer = try #require(IssuerName("demo"))
            let now = Timestamp(seconds: agent.clock.now)
            try await agent.store.record(
                GenerationIntent(keyID: keyID, issuer: issuer, algorithm: .es256, recordedAt: now))
            try await agent.store.abandon(keyID, publicKey: [1, 2, 3], at: now)
            try agent.onIdleToken { session in
                _ = try session.generateKeyPair(
                    .ec(.p256), id: keyID.bytes, label: "privyseal/\(agent.deployment)/demo")
            }
            try await agent.start()
            await agent.settle()
            try await agent.connected { client in
                #expect(try agent.privateKeysOnToken().contains(keyID.description))
                #expect(try await client.reconcile(dryRun: false).findings.map(\.finding) == ["differs"])
                #expect(try await client.health().problems.contains { $0.message.contains("another key under the CKA_ID") })
                _ = try await client.sign()
            }
        }
    }

    @Test("a standby key that cannot be had is tried for ever more seldom, up to five minutes")
    func backoff() async throws {
        try await AgentFixture.with { agent, client in
            let tries = Locked(0)
            agent.failures.fail { call in
                switch call {
                case .record: tries.withLock { $0 += 1 }
                case .commit(let change): return change.issuer?.generation != 1
                default: break
                }
                return false
            }
            try await client.create()
            await agent.settle()
            var gaps: [Int] = []
            var last = (tries: tries.withLock { $0 }, at: 0)
            for second in stride(from: 5, through: 1_500, by: 5) {
                await agent.pass(5)
                let now = tries.withLock { $0 }
                guard now > last.tries else { continue }
                gaps.append(second - last.at)
                last = (now, second)
            }
            #expect(gaps.prefix(6) == [15, 30, 60, 120, 240, 300])
            #expect(gaps.dropFirst(6).allSatisfy { $0 == 300 })
            // Every key that did not enter the ring has been destroyed again.
            #expect(try agent.privateKeysOnToken() == (try await client.liveKeyIDs()))
            agent.failures.fail { _ in false }
            await agent.pass(300)
            #expect(try await client.key("standby") != nil)
        }
    }

    @Test("a key whose commit failed with the whole store is accounted for once the store works again, without a restart")
    func cutOffByFullStore() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            agent.failures.fail { call in
                switch call {
                case .record, .contents: false
                default: true
                }
            }
            #expect(try await refusal { try await client.rotate() }.reason == .storeUnavailable)
            _ = try await client.sign()
            #expect(try agent.privateKeysOnToken().count == 2)
            #expect(try await client.health().store.state == "unavailable")
            agent.failures.fail { _ in false }
            await agent.pass(15)
            await agent.settle()
            #expect(try agent.privateKeysOnToken() == (try await client.liveKeyIDs()))
            #expect(try await agent.store.contents().intents.isEmpty)
            #expect(try await client.health().status == "ok")
        }
    }

    @Test("with a full disk changes fail as a whole, signing goes on, and changes go on once there is room")
    func fullDisk() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create(standby: false)
            try await agent.store.limitPages(extra: 0)
            var refused: ProtocolError?
            var made = 0
            while refused == nil && made < 60 {
                do { try await client.create("i\(made)", standby: false) } catch let error as ProtocolError { refused = error }
                made += 1
            }
            #expect(refused?.reason == .storeUnavailable)
            #expect(refused?.message.contains("no space") == true)
            let before = try await client.status()
            let jwt = try await client.sign()
            _ = try await client.verify(jwt.jwt, now: agent.clock.now)
            #expect(try await client.status().generation == before.generation)

            try await agent.store.limitPages(extra: nil)
            await agent.pass(15)
            await agent.settle()
            #expect(try await client.health().status == "ok")
            try await client.rotate()
            try await client.create("i\(made - 1)", standby: false)
            await agent.settle()
            #expect(try agent.privateKeysOnToken() == (try await client.liveKeyIDs()), "nothing is left on the token")
            #expect(try await client.reconcile(dryRun: true).findings.filter { $0.finding != "tombstone" }.isEmpty)
        }
    }
}

extension SQLiteIssuerStore {
    /// Lets the file grow by so many pages, or with `nil` without limit: what a full disk looks like to SQLite.
    fileprivate func limitPages(extra: Int?) async throws {
        try await queue.writeWithoutTransaction { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            try database.execute(sql: "PRAGMA max_page_count = \(extra.map { pages + $0 } ?? 4_294_967_294)")
        }
    }
}
