import GRDB
import KeyLifecycle
import TestSupport
import Testing

@testable import IssuerStore

@Suite("Transactions and damage in the SQLite store")
struct SQLiteIntegrityTests {
    private func withStore(_ body: (SQLiteIssuerStore) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            try await body(SQLiteIssuerStore(path: "\(directory)/store.db", tenant: nil, minted: .fixture))
        }
    }

    @Test(
        "a commit that fails half way leaves nothing behind",
        arguments: [
            "UPDATE ON issuer", "INSERT ON signing_key", "UPDATE ON signing_key", "DELETE ON generation_intent",
            "INSERT ON destruction", "UPDATE ON meta",
        ])
    func allOrNothing(_ event: String) async throws {
        try await withStore { store in
            var issuer = try await store.create()
            issuer = try await store.publishStandby(issuer, key: 2, at: .at(1))
            try await store.record(.number(3, at: .at(2)))
            // Revokes the standby key and adds another: it writes to each of the tables.
            let plan = try issuer.planningRevocation(of: "kid-1", at: .at(3))
            let change = try issuer.publishingFresh(.number(3), for: plan, at: .at(3))
            let before = try await store.snapshot()

            try rawWrite(store.path, "CREATE TRIGGER fail AFTER \(event) BEGIN SELECT RAISE(ABORT, 'injected'); END")
            await #expect(throws: StoreError.self) { try await store.commit(change, fulfilling: [.number(3)]) }
            #expect(try await store.snapshot() == before)

            try rawWrite(store.path, "DROP TRIGGER fail")
            try await store.apply(change, fulfilling: 3)
            #expect(try await store.issuer() == change.issuer)
        }
    }

    @Test("of two stores on one file that commit from the same generation, one wins and the other can go on")
    func twoStores() async throws {
        try await withStore { store in
            let other = try SQLiteIssuerStore(path: store.path, tenant: nil, minted: .fixture)
            var issuer = try await store.create()
            for round in 1...10 {
                let changes = try [1_000, 2_000].map { lifetime in
                    var settings = issuer.settings
                    settings.lifetime = lifetime + round
                    return try issuer.updating(
                        IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false), at: .at(round))!
                }
                async let first = store.commit(changes[0], fulfilling: [])
                async let second = other.commit(changes[1], fulfilling: [])
                var conflicts = 0
                do { _ = try await first } catch let error as StoreError { conflicts += error.code == .conflict ? 1 : 0 }
                do { _ = try await second } catch let error as StoreError { conflicts += error.code == .conflict ? 1 : 0 }
                #expect(conflicts == 1)
                issuer = try #require(try await store.issuer())
                #expect(changes.map(\.issuer).contains(issuer))
                #expect(try await other.issuer() == issuer)
            }
        }
    }

    @Test("another process's transaction makes calls unavailable, and once it has ended they work again")
    func locked() async throws {
        try await withStore { first in
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            let blocker = try DatabaseQueue(path: first.path, configuration: configuration)
            let store = try SQLiteIssuerStore(
                path: first.path, tenant: nil, minted: .fixture, busyTimeout: .milliseconds(1))
            try await blocker.writeWithoutTransaction { try $0.beginTransaction(.immediate) }
            let error = #expect(throws: StoreError.self) {
                try SQLiteIssuerStore(path: first.path, tenant: nil, minted: .fixture, busyTimeout: .milliseconds(1))
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("locked by another process") == true)
            await #expect(throws: StoreError(.unavailable, "", hint: "")) { try await store.record(.number(1)) }
            #expect(try await store.contents().intents.isEmpty)
            try await blocker.writeWithoutTransaction { try $0.commit() }
            try await store.record(.number(1))
        }
    }

    @Test("another program can read beside an open store")
    func readingBeside() async throws {
        try await withStore { store in
            try await store.create()
            var configuration = Configuration()
            configuration.readonly = true
            let reader = try DatabaseQueue(path: store.path, configuration: configuration)
            let names = try await reader.read { try String.fetchAll($0, sql: "SELECT name FROM issuer") }
            #expect(names == ["demo"])
        }
    }

    @Test("the moment a key was destroyed is kept, the first one noted")
    func destroyedAt() async throws {
        try await withStore { store in
            try await store.record(.number(1))
            try await store.abandon(.number(1), at: .at(1))
            try await store.markDestroyed(.number(1), at: .at(2))
            try await store.markDestroyed(.number(1), at: .at(3))
            let moment = try await store.read { try Int64.fetchOne($0, sql: "SELECT destroyed_at FROM destruction") }
            #expect(moment == Timestamp.at(2).seconds)
        }
    }

    @Test(
        "the tables themselves refuse what would break a key ring",
        arguments: [
            "UPDATE signing_key SET state = 'active'",
            "UPDATE signing_key SET state = 'asleep' WHERE kid = 'kid-1'",
            "UPDATE signing_key SET state = 'retiring' WHERE kid = 'kid-1'",
            "UPDATE signing_key SET key_id = x'00' WHERE kid = 'kid-1'",
            "UPDATE signing_key SET key_id = (SELECT key_id FROM signing_key WHERE kid = 'kid-2') WHERE kid = 'kid-1'",
            "UPDATE issuer SET generation = 0",
            "INSERT INTO deployment VALUES (2, 'a', 'b')",
        ])
    func constraints(_ sql: String) async throws {
        try await withStore { store in
            try await store.publishStandby(store.create(), key: 2, at: .at(1))
            #expect(throws: DatabaseError.self) { try rawWrite(store.path, sql) }
        }
    }

    @Test(
        "content that no release writes is corrupt, and the error says what",
        arguments: [
            ("DELETE FROM signing_key WHERE state = 'active'", "key ring of the issuer demo is broken: 0 keys are active"),
            ("UPDATE issuer SET maximum_lifetime = 1000000", "issuer demo has settings out of bounds"),
            ("UPDATE issuer SET algorithm = 'XX999'", "unknown algorithm XX999"),
            ("UPDATE issuer SET name = 'De_mo'", "invalid name De_mo"),
            ("PRAGMA ignore_check_constraints = 1; UPDATE signing_key SET state = 'asleep'", "unknown state asleep"),
            ("PRAGMA ignore_check_constraints = 1; UPDATE signing_key SET key_id = x'00'", "not 16 bytes long"),
            ("DELETE FROM meta", "moment of its last change"),
        ])
    func corrupt(_ sql: String, _ message: String) async throws {
        try await withStore { store in
            try await store.create()
            try rawWrite(store.path, sql)
            let error = await #expect(throws: StoreError.self) { _ = try await store.contents() }
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
    }

    @Test("a store that has lost its deployment is not given another")
    func lostDeployment() async throws {
        try await withStore { store in
            try rawWrite(store.path, "DELETE FROM deployment")
            #expect(throws: StoreError(.corrupt, "", hint: "")) {
                try SQLiteIssuerStore(path: store.path, tenant: "configured", minted: .fixture)
            }
        }
    }

    @Test(
        "what SQLite reports becomes what the caller can do something about",
        arguments: [
            (ResultCode.SQLITE_FULL, StoreError.Code.unavailable), (.SQLITE_IOERR, .unavailable),
            (.SQLITE_IOERR_FSYNC, .unavailable), (.SQLITE_READONLY, .unavailable),
            (.SQLITE_READONLY_DIRECTORY, .unavailable), (.SQLITE_PERM, .unavailable), (.SQLITE_BUSY, .unavailable),
            (.SQLITE_BUSY_SNAPSHOT, .unavailable), (.SQLITE_CANTOPEN, .unavailable), (.SQLITE_NOMEM, .unavailable),
            (.SQLITE_CORRUPT, .corrupt), (.SQLITE_NOTADB, .corrupt), (.SQLITE_CONSTRAINT_UNIQUE, .conflict),
        ])
    func mapping(_ result: ResultCode, _ code: StoreError.Code) {
        let error = StoreError.reporting(
            DatabaseError(resultCode: result, message: "text", sql: "SELECT ?", arguments: ["secret"]), path: "/store.db")
        #expect(error.code == code)
        #expect(!error.message.contains("secret") && !error.message.contains("SELECT"))
        #expect(!error.message.isEmpty && !error.hint.isEmpty && error.cause is DatabaseError)
    }
}
