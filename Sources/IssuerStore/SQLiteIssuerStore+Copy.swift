import Foundation
import GRDB
public import KeyLifecycle
public import Platform

extension SQLiteIssuerStore {
    /// Copies a store into one new file, also while an agent changes it (SQLite's online backup), and marks the copy: an agent
    /// that opens it knows that the original may have moved on.
    ///
    /// The copy has the mode 0600, is on the disk when this returns, and has been opened and read. It blocks on the disk.
    /// - Throws: `StoreError`; then there is no copy. An existing file is not replaced.
    public static func copy(
        _ path: String, to destination: String, at moment: Timestamp, trusting trusted: TrustedDirectories = .none
    ) throws(StoreError) {
        let destination = URL(fileURLWithPath: destination).path
        let temporary = "\(destination).\(SystemRandom.hexadecimal(bytes: 8)).new"
        do {
            try refuseToReplace(destination, "a backup")
            defer { removeFiles(of: temporary) }
            try write(path, to: temporary, at: moment, trusting: trusted)
            try verify(temporary, trusting: trusted)
            try link(temporary, to: destination, orRefuse: "a backup")
        } catch {
            throw .reporting(error, path: path)
        }
    }

    static func refuseToReplace(_ destination: String, _ who: String) throws {
        guard !FileManager.default.fileExists(atPath: destination) else {
            throw StoreError(
                .unavailable, "\(destination) exists, and \(who) replaces nothing", hint: "name a file that does not exist yet")
        }
    }

    static func removeFiles(of path: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }

    /// Gives a finished file its name, durably, unless there is one of that name.
    static func link(_ temporary: String, to destination: String, orRefuse who: String) throws {
        do {
            try FileManager.default.linkItem(atPath: temporary, toPath: destination)
        } catch {
            try refuseToReplace(destination, who)
            throw error
        }
        try AtomicFile.synchronizeDirectory(of: destination)
    }

    private static func write(
        _ path: String, to temporary: String, at moment: Timestamp, trusting trusted: TrustedDirectories
    ) throws {
        // A copy keeps its original's identity.
        let migrator = Schema.migrator(minted: Deployment(id: "", tenant: ""))
        let source = try StoreFile.openForReading(
            URL(fileURLWithPath: path).path, migrator: migrator, busyTimeout: .seconds(5), trusting: trusted)
        try makeCopy(at: temporary) { copy in
            try source.read { try $0.backup(to: copy) }
        } finishing: { copy in
            try migrator.migrate(copy)
            try copy.write { database in
                try requireInUse(database, path)
                // A copy of a copy is as old as the first.
                try database.execute(literal: "UPDATE meta SET copied_at = ifnull(copied_at, \(moment.seconds))")
            }
        }
        try source.close()
    }

    /// Makes a file of mode 0600 and has it filled.
    ///
    /// - Throws: `StoreError` that names the new file when it is SQLite that fails.
    static func makeCopy(
        at temporary: String, filling fill: (Database) throws -> Void, finishing finish: (DatabaseQueue) throws -> Void = { _ in }
    ) throws {
        do {
            try AtomicFile.write([], to: temporary, mode: 0o600)
        } catch {
            throw StoreError(.unavailable, "cannot write \(temporary): \(error)", hint: error.hint, cause: error)
        }
        do {
            let copy = try DatabaseQueue(path: temporary)
            try copy.writeWithoutTransaction { database in
                try fill(database)
                // One file, without a write-ahead log that could be left behind when it is moved.
                try StoreFile.leaveLog(database)
            }
            try finish(copy)
            try copy.close()
        } catch let error as DatabaseError {
            throw StoreError.reporting(error, path: temporary)
        }
    }

    /// Reads the copy as an agent would.
    static func verify(_ path: String, trusting trusted: TrustedDirectories) throws {
        let store = try SQLiteIssuerStore(reading: path, tenant: nil, trusting: trusted)
        try store.queue.read { database in
            let finding = try String.fetchOne(database, sql: "PRAGMA integrity_check(1)")
            guard finding == "ok" else { throw StoreError.corrupt("the copy of the store is damaged: \(finding ?? "")") }
            _ = try Self.contents(database)
        }
        try store.queue.close()
    }
}
