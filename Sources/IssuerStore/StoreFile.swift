import Foundation
import GRDB
import Platform

/// The SQLite file of a store: made, admitted and opened.
enum StoreFile {
    /// Makes a store of mode 0600 unless there is a file.
    ///
    /// It is finished under another name and then linked, not renamed, to its own: nobody meets a store that is half made or
    /// not yet private, and one that another process makes at the same moment is not replaced.
    static func makeIfMissing(_ path: String, migrator: DatabaseMigrator, busyTimeout: Duration) throws {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        let fresh = "\(path).\(SystemRandom.hexadecimal(bytes: 8)).new"
        do {
            try AtomicFile.write([], to: fresh, mode: 0o600)
        } catch {
            throw StoreError(.unavailable, "cannot make the store \(path): \(error)", hint: error.hint, cause: error)
        }
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: fresh + suffix) } }
        // Closing moves everything out of the write-ahead log into the one file that is linked.
        try open(fresh, migrator: migrator, busyTimeout: busyTimeout).close()
        do {
            try FileManager.default.linkItem(atPath: fresh, toPath: path)
        } catch {
            guard !FileManager.default.fileExists(atPath: path) else { return }
            throw StoreError(
                .unavailable, "cannot make the store \(path)",
                hint: "choose a directory of a local file system that this user may write", cause: error)
        }
    }

    /// Opens the file for reading and writing, each commit durable when it returns, and brings its tables up to date.
    ///
    /// A file that is no store, or a newer release's, is left as it is.
    static func open(_ path: String, migrator: DatabaseMigrator, busyTimeout: Duration) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "privyseal.store"
        configuration.foreignKeysEnabled = true
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(busyTimeout / .seconds(1))
        configuration.prepareDatabase { database in
            // One transaction, one moment: another process may be making its tables.
            try database.inTransaction(.deferred) {
                try admit(database, path, migrator)
                return .commit
            }
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.writeWithoutTransaction { database in
            // GRDB sets NORMAL with WAL, under which a power failure takes back commits that have returned.
            try database.execute(sql: "PRAGMA synchronous = FULL")
            guard try Int.fetchOne(database, sql: "PRAGMA synchronous") == 2 else {
                throw StoreError(
                    .unavailable, "SQLite does not take synchronous=FULL for the store \(path)",
                    hint: "use an SQLite library that was not built to ignore it")
            }
            // Before any table: a file whose making was interrupted must still be known as a store.
            try database.inTransaction(.immediate) {
                try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
                return .commit
            }
        }
        do {
            try migrator.migrate(queue)
        } catch is DatabaseError {
            // GRDB looks at what is to be done before it locks: another process may have done it in between. Each migration
            // is a transaction, so whatever else was wrong is still wrong now.
            try migrator.migrate(queue)
        }
        return queue
    }

    /// Refuses, before anything is written, a file that is no store and one of a newer release.
    private static func admit(_ database: Database, _ path: String, _ migrator: DatabaseMigrator) throws {
        let applicationID = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") == 0
        guard applicationID == Schema.applicationID || (applicationID == 0 && isEmpty) else {
            throw StoreError(
                .corrupt, "\(path) is an SQLite database of another application",
                hint: "name the store's own file, or one that does not exist yet")
        }
        guard try !migrator.hasBeenSuperseded(database) else {
            throw StoreError(
                .newerSchema, "the store \(path) was written by a newer release",
                hint: "run that release or a later one, or restore a backup made before the upgrade")
        }
    }
}
