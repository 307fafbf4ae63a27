import Foundation
import GRDB
import KeyLifecycle
import Platform
import TestSupport
import Testing

@testable import IssuerStore

@Suite("Copies of a store")
struct SQLiteCopyTests {
    private func withStore(_ body: (SQLiteIssuerStore, _ copy: String) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLiteIssuerStore(path: "\(directory)/store.db", tenant: nil, minted: .fixture)
            try await store.publishStandby(store.create(), key: 2, at: .at(1))
            try await body(store, "\(directory)/copy.db")
        }
    }

    @Test("a copy of a store in use holds what was committed, is its owner's alone, and says when it was made")
    func copy() async throws {
        try await withStore { store, path in
            try SQLiteIssuerStore.copy(store.path, to: path, at: .at(100))
            #expect(try FileMode.of(path) == 0o600)
            let files = try FileManager.default.contentsOfDirectory(
                atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path)
            #expect(files.sorted() == ["copy.db", "store.db", "store.db-shm", "store.db-wal"])
            let copy = try SQLiteIssuerStore(path: path, tenant: nil, minted: Deployment(id: "x", tenant: "y"))
            var expected = try await store.snapshot()
            #expect(expected.copiedAt == nil)
            expected.copiedAt = .at(100)
            #expect(try await copy.snapshot() == expected)
            #expect(copy.deployment == .fixture)
        }
    }

    @Test("a copy of a copy is as old as the first, until what differs has been settled")
    func copyOfCopy() async throws {
        try await withStore { store, path in
            try SQLiteIssuerStore.copy(store.path, to: path, at: .at(100))
            try SQLiteIssuerStore.copy(path, to: path + "2", at: .at(200))
            let second = try SQLiteIssuerStore(path: path + "2", tenant: nil, minted: .fixture)
            #expect(try await second.contents().copiedAt == .at(100))
            try await second.settle(Settlement(changes: [], token: TokenIdentity(label: "t", serial: "1")))
            #expect(try await second.contents().copiedAt == nil)
        }
    }

    @Test(
        "a copy replaces nothing, and one that fails leaves nothing behind",
        arguments: ["a file", "no directory", "a damaged store"])
    func refused(_ kind: String) async throws {
        try await withStore { store, path in
            let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
            var path = path
            var source = store.path
            switch kind {
            case "a file": try AtomicFile.write([1], to: path)
            case "no directory": path = "\(directory)/missing/copy.db"
            default:
                source = "\(directory)/damaged.db"
                try AtomicFile.write([UInt8](repeating: 0x5A, count: 8_192), to: source)
            }
            let before = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            let error = #expect(throws: StoreError.self) { try SQLiteIssuerStore.copy(source, to: path, at: .at(1)) }
            #expect(error?.message.isEmpty == false && error?.hint.isEmpty == false)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == before)
            if kind == "a file" { #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([1])) }
        }
    }

    @Test("a store that is opened for reading reads beside its user, and writes nothing")
    func reading() async throws {
        try await withStore { store, _ in
            let reader = try SQLiteIssuerStore(reading: store.path, tenant: nil)
            try await store.record(.number(7))
            #expect(try await reader.snapshot() == store.snapshot())
            await #expect(throws: StoreError(.unavailable, "", hint: "")) { try await reader.record(.number(8)) }
        }
    }

    @Test("a store that is not there is not made by reading")
    func readingNothing() throws {
        try withTemporaryDirectory { directory in
            #expect(throws: StoreError(.unavailable, "", hint: "")) {
                try SQLiteIssuerStore(reading: "\(directory)/store.db", tenant: nil)
            }
            let made = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(made.isEmpty)
        }
    }

    @Test("an unused store takes over the identity of a lost one; a used one does not")
    func takingOver() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            let fresh = try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            let store = try await fresh.takingOver(deployment: "lost")
            #expect(store.deployment == Deployment(id: "lost", tenant: Deployment.fixture.tenant))
            #expect(try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture).deployment == store.deployment)
            try await store.record(.number(1))
            await #expect(throws: StoreError(.conflict, "", hint: "")) { try await store.takingOver(deployment: "another") }
        }
    }
}
