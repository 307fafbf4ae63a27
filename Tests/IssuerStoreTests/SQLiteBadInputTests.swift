import Foundation
import GRDB
import KeyLifecycle
import Platform
import TestSupport
import Testing

@testable import IssuerStore

@Suite("A store file that is damaged, exposed or full")
struct SQLiteBadInputTests {
    /// What happened to the file, and what opening it says.
    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let code: StoreError.Code
        let naming: String
        let inflict: @Sendable (String) throws -> Void
    }

    static let damages: [Damage] = [
        Damage(testDescription: "cut to nothing", code: .corrupt, naming: "is empty") { try truncate($0) { _ in 0 } },
        Damage(testDescription: "cut in the header", code: .corrupt, naming: "store.db") { try truncate($0) { _ in 60 } },
        Damage(testDescription: "cut in the middle", code: .corrupt, naming: "damaged") { try truncate($0) { $0 / 2 } },
        Damage(testDescription: "cut by a page", code: .corrupt, naming: "damaged") { try truncate($0) { $0 - 4_096 } },
        Damage(testDescription: "overwritten in the middle", code: .corrupt, naming: "damaged") { path in
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try file.seek(toOffset: 3 * 4_096)
            try file.write(contentsOf: Data(repeating: 0x5A, count: 2 * 4_096))
            try file.close()
        },
        Damage(testDescription: "another program's text", code: .corrupt, naming: "is not a database") { path in
            try Data("# a configuration file, and a long one: it goes on and on\n".utf8).write(to: URL(fileURLWithPath: path))
        },
        Damage(testDescription: "gone, its log left behind", code: .corrupt, naming: "write-ahead log") { path in
            try FileManager.default.moveItem(atPath: path, toPath: path + "-wal")
        },
        Damage(testDescription: "a directory", code: .unavailable, naming: "not a regular file") { path in
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        },
        Damage(testDescription: "writable by everybody", code: .exposed, naming: "mode 0666") { try FileMode.set(0o666, of: $0) },
        Damage(testDescription: "writable by its group", code: .exposed, naming: "mode 0660") { try FileMode.set(0o660, of: $0) },
        Damage(testDescription: "in a directory for everybody", code: .exposed, naming: "mode 0777") { path in
            try FileMode.set(0o777, of: URL(fileURLWithPath: path).deletingLastPathComponent().path)
        },
        // Where a write-ahead log that is not there yet is anybody's to make.
        Damage(testDescription: "in a directory for everybody, sticky", code: .exposed, naming: "mode 1777") { path in
            try FileMode.set(0o1777, of: URL(fileURLWithPath: path).deletingLastPathComponent().path)
        },
    ]

    private static func truncate(_ path: String, _ length: (UInt64) -> UInt64) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: length(file.seekToEnd()))
        try file.close()
    }

    @Test("is refused with one line of what and one of what to do, and left as it is", arguments: damages)
    func damaged(_ damage: Damage) async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            let store = try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            for number in 1...40 as ClosedRange<UInt8> {
                try await store.create(try #require(IssuerName("i\(number)")), key: number)
            }
            try store.queue.close()
            try damage.inflict(path)
            let before = try contents(of: directory)
            let error = #expect(throws: StoreError.self) {
                try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            }
            #expect(error?.code == damage.code)
            #expect(error?.message.contains(damage.naming) == true, "\(error?.message ?? "")")
            for line in [error?.message, error?.hint] { #expect(line?.isEmpty == false && line?.contains("\n") == false) }
            #expect(try contents(of: directory) == before)
        }
    }

    private func contents(of directory: String) throws -> [String: Data?] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        return Dictionary(
            uniqueKeysWithValues: names.map { ($0, try? Data(contentsOf: URL(fileURLWithPath: "\(directory)/\($0)"))) })
    }

    @Test("of another user is refused, also for root, whose files would lock the owner out", .enabled(if: geteuid() == 0))
    func foreignOwner() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/store.db"
            _ = try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            try FileMode.setOwner(of: path, uid: 65_534)
            let error = #expect(throws: StoreError.self) {
                try SQLiteIssuerStore(path: path, tenant: nil, minted: .fixture)
            }
            #expect(error?.code == .exposed)
            #expect(error?.message.contains("uid 65534") == true)
        }
    }

    @Test("that is full refuses a change as a whole, goes on reading, and takes the change once there is room")
    func full() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLiteIssuerStore(path: "\(directory)/store.db", tenant: nil, minted: .fixture)
            try await store.create()
            try await store.limitPages(extra: 1)
            var number: UInt8 = 10
            let error = await #expect(throws: StoreError.self) {
                while number < 250 {
                    try await store.create(try #require(IssuerName("i\(number)")), key: number)
                    number += 1
                }
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("no space") == true)
            let before = try await store.snapshot()
            #expect(before.issuers.count > 0 && before.issuers.allSatisfy { $0.ring.violations.isEmpty })
            try await store.limitPages(extra: nil)
            // What did not fit was the intent or the commit that fulfils it.
            if before.intents.isEmpty { try await store.record(.number(number, for: try #require(IssuerName("i\(number)")))) }
            let change = try Issuer.creating(
                try #require(IssuerName("i\(number)")), settings: IssuerSettings(), url: nil, firstKey: .number(number),
                at: .at(0))
            try await store.commit(change, fulfilling: [.number(number)])
            #expect(try await store.contents().issuers.count == before.issuers.count + 1)
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
