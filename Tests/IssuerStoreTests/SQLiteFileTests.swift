import Foundation
import GRDB
import KeyLifecycle
import Platform
import TestSupport
import Testing

@testable import IssuerStore

@Suite("The SQLite file of a store")
struct SQLiteFileTests {
    @Test("what has been committed is there after reopening, under the same identity")
    func reopening() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            func open(_ minted: Deployment = .fixture) throws -> SQLiteIssuerStore {
                try SQLiteIssuerStore(path: path, tenant: nil, minted: minted)
            }
            var store = try open()
            var issuer = try await store.create(url: "https://oidc.example/t/1/")
            issuer = try await store.publishStandby(issuer, key: 2, at: .at(1))
            issuer = try await store.apply(issuer.executing(issuer.planningRotation(at: .at(2))))
            try await store.apply(issuer.expiring(at: .at(100_000)))
            try await store.record(.number(7))
            try await store.record(.number(8))
            try await store.bury(.number(8))
            try await store.setRefusedPIN(RefusedPIN(source: "file", returnValue: "CKR_PIN_INCORRECT", at: .at(3)))
            let before = try await store.snapshot()

            store = try open(Deployment(id: "ffeeddccbbaa99887766554433221100", tenant: "another"))
            #expect(try await store.snapshot() == before)
            #expect(store.deployment == .fixture)
        }
    }

    @Test("stores that make the same file at the same moment agree on one identity")
    func makingTogether() async throws {
        for _ in 1...10 {
            try await withTemporaryDirectory { directory in
                let found = try await withThrowingTaskGroup(of: Deployment.self) { group in
                    for number in 1...4 {
                        group.addTask {
                            try SQLiteIssuerStore(
                                path: "\(directory)/store.db", tenant: nil,
                                minted: Deployment(id: "id-\(number)", tenant: "tenant-\(number)")
                            ).deployment
                        }
                    }
                    return try await group.reduce(into: Set()) { $0.insert($1) }
                }
                #expect(found.count == 1)
            }
        }
    }

    @Test("a configured tenant counts as long as it is configured")
    func configuredTenant() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            func deployment(tenant: String?) throws -> Deployment {
                try SQLiteIssuerStore(path: path, tenant: tenant, minted: .fixture).deployment
            }
            let configured = try deployment(tenant: "configured")
            #expect(configured == Deployment(id: Deployment.fixture.id, tenant: "configured"))
            let stored = try deployment(tenant: nil)
            #expect(stored == .fixture)
        }
    }

    @Test(
        "each connection is set for durability",
        arguments: [("synchronous", "2"), ("journal_mode", "wal"), ("foreign_keys", "1"), ("locking_mode", "normal")])
    func pragma(_ name: String, _ value: String) async throws {
        try await withTemporaryDirectory { directory in
            for _ in 1...2 {
                let store = try SQLiteIssuerStore(path: "\(directory)/store.db", tenant: nil, minted: .fixture)
                try await store.create(IssuerName("i\(try await store.contents().issuers.count)")!, key: .random(in: 1...255))
                #expect(try await store.read { try String.fetchOne($0, sql: "PRAGMA \(name)") } == value)
            }
        }
    }

    @Test("a new store and the files beside it belong to their owner alone, and nothing else is left")
    func mode() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLiteIssuerStore(path: "\(directory)/store.db", tenant: nil, minted: .fixture)
            try await store.create()
            let files = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            #expect(files == ["store.db", "store.db-shm", "store.db-wal"])
            for file in files { #expect(try FileMode.of("\(directory)/\(file)") == 0o600, "\(file)") }
        }
    }

    @Test("a store whose making was interrupted becomes one")
    func unfinished() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            try rawWrite(path, "PRAGMA application_id = \(Schema.applicationID)")
            try rawWrite(path, "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
            let store = try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            try await store.create()
            #expect(store.deployment == .fixture)
        }
    }

    @Test("a store of the first release is read and written as it stands")
    func firstSchema() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            try rawWrite(path, FirstSchema.dump)
            let store = try SQLiteIssuerStore(
                path: path, tenant: nil, minted: Deployment(id: "ffeeddccbbaa99887766554433221100", tenant: "another"))
            #expect(store.deployment == .fixture)
            #expect(try await store.snapshot() == FirstSchema.snapshot)
            let issuer = try #require(try await store.issuer())
            try await store.apply(issuer.expiring(at: .at(200_000)))
        }
    }

    @Test("a store with a max-age that is too short by now is read, and has the shortest there is")
    func shortMaxAge() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            try rawWrite(path, FirstSchema.dump.replacing("60,1,100000,NULL", with: "0,1,100000,NULL"))
            let store = try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            var issuer = try #require(FirstSchema.snapshot.issuers.first)
            #expect(try await store.issuer()?.settings.jwksMaxAge == 10)
            var settings = issuer.settings
            settings.jwksMaxAge = 10
            issuer = Issuer(
                name: issuer.name, generation: issuer.generation, createdAt: issuer.createdAt, changedAt: issuer.changedAt,
                settings: settings, profile: issuer.profile, acceptedIssuers: issuer.acceptedIssuers, ring: issuer.ring,
                lastRotationAt: issuer.lastRotationAt, maxAgeHorizon: issuer.maxAgeHorizon)
            #expect(try await store.issuer() == issuer)
        }
    }

    @Test("the first schema is the one of the first release, to the letter")
    func firstSchemaIsFrozen() throws {
        try withTemporaryDirectory { directory in
            try rawWrite("\(directory)/first.db", FirstSchema.dump)
            let fresh = try DatabaseQueue()
            try Schema.migrator(minted: .fixture).migrate(fresh, upTo: "1")
            func statements(_ database: Database) throws -> [String] {
                try String.fetchAll(
                    database,
                    sql: "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'grdb_migrations' ORDER BY name")
            }
            let released = try DatabaseQueue(path: "\(directory)/first.db").read(statements)
            #expect(try fresh.read(statements) == released)
        }
    }

    @Test("a store of a newer release is refused and left as it is")
    func newerSchema() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            _ = try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            try rawWrite(path, "INSERT INTO grdb_migrations VALUES ('of-the-future')")
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            let error = #expect(throws: StoreError.self) {
                try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            }
            #expect(error?.code == .newerSchema)
            #expect(error?.message == "the store \(path) was written by a newer release")
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        }
    }

    @Test("a file that is no store is refused and left as it is", arguments: ["other application", "own tables", "garbage"])
    func foreign(_ kind: String) throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            switch kind {
            case "other application": try rawWrite(path, "PRAGMA application_id = 7")
            case "own tables": try rawWrite(path, "CREATE TABLE issuer (name TEXT)")
            default: try AtomicFile.write([UInt8](repeating: 0x5A, count: 8_192), to: path)
            }
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            let error = #expect(throws: StoreError.self) {
                try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            }
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains(path) == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["store.db"])
        }
    }

    @Test(
        "a path where no store can be is unavailable, and the error says where and what to do",
        arguments: ["missing/store.db", "file/store.db", "directory", ""])
    func unavailable(_ name: String) throws {
        try withTemporaryDirectory { directory in
            try AtomicFile.write([], to: "\(directory)/file")
            try FileManager.default.createDirectory(atPath: "\(directory)/directory", withIntermediateDirectories: false)
            let path = "\(directory)/\(name)"
            let error = #expect(throws: StoreError.self) {
                try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains(directory) == true)
            #expect(error?.hint.isEmpty == false)
        }
    }
}

/// Runs SQL on the file from outside, foreign keys unchecked.
func rawWrite(_ path: String, _ sql: String) throws {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
    try queue.close()
}
