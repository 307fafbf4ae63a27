import Foundation
import GRDB
import KeyLifecycle
import Platform
import TestSupport
import Testing

@testable import IssuerStore

@Suite("A store file that is taken away while it is open")
struct SQLitePlaceTests {
    private func withStore(_ body: (SQLiteIssuerStore) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLiteIssuerStore(path: "\(directory)/store.db", tenant: nil, minted: .fixture)
            try await store.create()
            try await body(store)
        }
    }

    private static let displaced = StoreError(.displaced, "", hint: "")

    private func moveAway(_ store: SQLiteIssuerStore) throws {
        for suffix in ["", "-wal", "-shm"] {
            try FileManager.default.moveItem(atPath: store.path + suffix, toPath: store.path + ".moved" + suffix)
        }
    }

    @Test("takes no commit, and nothing of one is kept", arguments: ["", "-wal", "-shm"])
    func refused(suffix: String) async throws {
        try await withStore { store in
            let before = try await store.snapshot()
            let path = store.path + suffix
            try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
            await #expect(throws: Self.displaced) { try await store.checkPlace() }
            await #expect(throws: Self.displaced) { try await store.record(.number(7)) }
            await #expect(throws: Self.displaced) { try await store.probe() }
            #expect(try await store.snapshot() == before)
            try FileManager.default.moveItem(atPath: path + ".moved", toPath: path)
            try await store.checkPlace()
            try await store.record(.number(7))
        }
    }

    @Test("is not taken for a file with the same content")
    func copied() async throws {
        try await withStore { store in
            try FileManager.default.copyItem(atPath: store.path, toPath: store.path + ".copy")
            try FileManager.default.removeItem(atPath: store.path)
            try FileManager.default.moveItem(atPath: store.path + ".copy", toPath: store.path)
            let error = await #expect(throws: StoreError.self) { try await store.record(.number(7)) }
            #expect(error?.code == .displaced)
            #expect(
                error?.message
                    == "the store \(store.path) was replaced while it was in use: what is at the path now is another file")
        }
    }

    @Test("is not left half saved: what could not be gone on with is gone, and the next attempt finds nothing in the way")
    func savedInVain() async throws {
        try await withStore { store in
            try await store.record(.number(7))
            let before = try await store.snapshot()
            try moveAway(store)
            // A link to nowhere, where the write-ahead log is to be made.
            let log = store.path + "-wal"
            try FileManager.default.createSymbolicLink(atPath: log, withDestinationPath: "/nowhere/log")
            await #expect(throws: StoreError.self) { try await store.save() }
            #expect(!FileManager.default.fileExists(atPath: store.path))
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: log) == "/nowhere/log", "somebody else's")
            #expect(try await store.snapshot() == before)
            try FileManager.default.removeItem(atPath: log)
            #expect(try await store.save() == store.path)
            #expect(try await store.snapshot() == before)
            try await store.checkPlace()
        }
    }

    @Test("is written anew with everything, is as durable as before, and goes on there")
    func saved() async throws {
        try await withStore { store in
            #expect(try await store.save() == nil, "where it belongs there is nothing to do")
            let before = try await store.snapshot()
            try moveAway(store)
            #expect(try await store.save() == store.path)
            #expect(try FileMode.of(store.path) == 0o600)
            try await store.checkPlace()
            #expect(try await store.snapshot() == before)
            try await store.record(.number(7))
            #expect(try await store.read { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
            let names = try FileManager.default.contentsOfDirectory(
                atPath: URL(fileURLWithPath: store.path).deletingLastPathComponent().path)
            #expect(names.count == 6, "\(names)")
            let reopened = try SQLiteIssuerStore(path: store.path, tenant: nil, minted: .fixture)
            #expect(try await reopened.snapshot() == store.snapshot())
            #expect(try await reopened.contents().copiedAt == nil, "it is no copy: it goes on")
            // What was moved away is left as it was.
            let moved = try SQLiteIssuerStore(reading: store.path + ".moved", tenant: nil)
            #expect(try await moved.snapshot() == before)
        }
    }

    @Test("is found where a symbolic link leads to, and written anew there")
    func linked() async throws {
        try await withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(atPath: "\(directory)/real", withIntermediateDirectories: false)
            _ = try SQLiteIssuerStore(path: "\(directory)/real/store.db", tenant: nil, minted: .fixture)
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/store.db", withDestinationPath: "\(directory)/real/store.db")
            let store = try SQLiteIssuerStore(path: "\(directory)/store.db", tenant: nil, minted: .fixture)
            try await store.create()
            for suffix in ["", "-wal", "-shm"] {
                try FileManager.default.removeItem(atPath: "\(directory)/real/store.db\(suffix)")
            }
            await #expect(throws: Self.displaced) { try await store.checkPlace() }
            #expect(try await store.save()?.hasSuffix("/real/store.db") == true)
            try await store.record(.number(7))
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/store.db").hasSuffix("/real/store.db"))
        }
    }

    @Test("its lock is taken again when its file is removed, and a store that another process has locked takes no commit")
    func lock() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            let lock = try FileLock(path: path + ".lock")
            let store = try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture, lock: lock)
            try await store.create()
            try FileManager.default.removeItem(atPath: lock.path)
            try await store.checkPlace()
            #expect(throws: PlatformError(.locked, "", hint: "")) { try FileLock(path: lock.path) }
            try FileManager.default.removeItem(atPath: lock.path)
            let another = try FileLock(path: lock.path)
            await #expect(throws: StoreError(.unavailable, "", hint: "")) { try await store.record(.number(7)) }
            withExtendedLifetime(another) {}
        }
    }
}
