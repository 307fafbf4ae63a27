import Foundation
import GRDB
public import KeyLifecycle
import Platform

extension SQLiteIssuerStore {
    /// Copies a store into one new file, also while an agent changes it (SQLite's online backup), and marks the copy: an agent
    /// that opens it knows that the original may have moved on.
    ///
    /// The copy has the mode 0600, is on the disk when this returns, and has been opened and read. It blocks on the disk.
    /// - Throws: `StoreError`; then there is no copy. An existing file is not replaced.
    public static func copy(_ path: String, to destination: String, at moment: Timestamp) throws(StoreError) {
        let destination = URL(fileURLWithPath: destination).path
        let temporary = "\(destination).\(SystemRandom.hexadecimal(bytes: 8)).new"
        do {
            try refuseToReplace(destination)
            defer {
                for suffix in ["", "-wal", "-shm", "-journal"] { try? FileManager.default.removeItem(atPath: temporary + suffix) }
            }
            try write(path, to: temporary, at: moment)
            try verify(temporary)
            do {
                try FileManager.default.linkItem(atPath: temporary, toPath: destination)
            } catch {
                try refuseToReplace(destination)
                throw error
            }
            try AtomicFile.synchronizeDirectory(of: destination)
        } catch {
            throw .reporting(error, path: path)
        }
    }

    private static func refuseToReplace(_ destination: String) throws {
        guard !FileManager.default.fileExists(atPath: destination) else {
            throw StoreError(
                .unavailable, "\(destination) exists, and a backup replaces nothing", hint: "name a file that does not exist yet")
        }
    }

    private static func write(_ path: String, to temporary: String, at moment: Timestamp) throws {
        // A copy keeps its original's identity.
        let migrator = Schema.migrator(minted: Deployment(id: "", tenant: ""))
        let source = try StoreFile.openForReading(
            URL(fileURLWithPath: path).path, migrator: migrator, busyTimeout: .seconds(5))
        do {
            try AtomicFile.write([], to: temporary, mode: 0o600)
        } catch {
            throw StoreError(.unavailable, "cannot write \(temporary): \(error)", hint: error.hint, cause: error)
        }
        let copy: DatabaseQueue
        do {
            copy = try DatabaseQueue(path: temporary)
            try source.backup(to: copy)
            // One file, without a write-ahead log that could be left behind when it is moved.
            try copy.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
            try migrator.migrate(copy)
            try copy.write { database in
                // A copy of a copy is as old as the first.
                try database.execute(literal: "UPDATE meta SET copied_at = ifnull(copied_at, \(moment.seconds))")
            }
            try copy.close()
            try source.close()
        } catch let error as DatabaseError {
            throw StoreError.reporting(error, path: temporary)
        }
    }

    /// Reads the copy as an agent would.
    private static func verify(_ path: String) throws {
        let store = try SQLiteIssuerStore(reading: path, tenant: nil)
        try store.queue.read { database in
            let finding = try String.fetchOne(database, sql: "PRAGMA integrity_check(1)")
            guard finding == "ok" else { throw StoreError.corrupt("the copy of the store is damaged: \(finding ?? "")") }
            _ = try Self.contents(database)
        }
        try store.queue.close()
    }
}
