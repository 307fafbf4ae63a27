import Foundation
import GRDB
import Platform

/// The SQLite file of a store: made, admitted and opened.
enum StoreFile {
    /// Makes a store of mode 0600 unless there is a file.
    ///
    /// It is finished under another name and then linked, not renamed, to its own: nobody meets a store that is half made or
    /// not yet private, and one that another process makes at the same moment is not replaced.
    /// - Parameter fill: what is to be in it besides.
    static func makeIfMissing(
        _ path: String, migrator: DatabaseMigrator, busyTimeout: Duration, trusting trusted: TrustedDirectories,
        filling fill: (Database) throws -> Void = { _ in }
    ) throws {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        try refuseLogAlone(path)
        try checkDirectory(of: path, trusting: trusted)
        let fresh = "\(path).\(SystemRandom.hexadecimal(bytes: 8)).new"
        do {
            try AtomicFile.write([], to: fresh, mode: 0o600)
        } catch {
            throw StoreError(.unavailable, "cannot make the store \(path): \(error)", hint: error.hint, cause: error)
        }
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: fresh + suffix) } }
        let queue = try open(fresh, migrator: migrator, busyTimeout: busyTimeout, trusting: trusted, isNew: true)
        try queue.write(fill)
        try queue.writeWithoutTransaction { try leaveLog($0) }
        try queue.close()
        do {
            try FileManager.default.linkItem(atPath: fresh, toPath: path)
            try AtomicFile.synchronizeDirectory(of: path)
        } catch {
            guard !FileManager.default.fileExists(atPath: path) else { return }
            throw StoreError(
                .unavailable, "cannot make the store \(path)",
                hint: "choose a directory of a local file system that this user may write", cause: error)
        }
    }

    /// - Throws: `StoreError` with `.missing` when there is no file.
    static func requireFile(_ path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        try refuseLogAlone(path)
        throw StoreError.missing(path)
    }

    private static func refuseLogAlone(_ path: String) throws {
        guard !FileManager.default.fileExists(atPath: path + "-wal") else {
            throw StoreError(
                .corrupt, "the store \(path) is gone, and its write-ahead log \(path)-wal is still there",
                hint: "put both back together, or move the log away and restore a backup")
        }
    }

    /// Moves everything out of the write-ahead log into the one file, which can then be given another name. Closing would do so
    /// too, but would say nothing of a disk that has no room for it.
    ///
    /// - Throws: `DatabaseError`; `StoreError` when SQLite does not do it.
    static func leaveLog(_ database: Database) throws {
        guard try String.fetchOne(database, sql: "PRAGMA journal_mode = DELETE") == "delete" else {
            throw StoreError(
                .unavailable, "SQLite keeps a write-ahead log where none is wanted", hint: "see the log, then try again")
        }
    }

    /// Opens the file for reading and writing, each commit durable when it returns, and brings its tables up to date.
    ///
    /// A file that is no store, or a newer release's, is left as it is.
    static func open(
        _ path: String, migrator: DatabaseMigrator, busyTimeout: Duration, trusting trusted: TrustedDirectories,
        isNew: Bool = false
    ) throws -> DatabaseQueue {
        if !isNew { try checkOwnership(of: path, trusting: trusted) }
        var configuration = configuration(path, migrator: migrator, busyTimeout: busyTimeout)
        configuration.journalMode = .wal
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

    /// Opens the file for reading beside whoever writes to it.
    ///
    /// - Throws: `StoreError` with `.unavailable` for a store of an older release, whose tables are not all there.
    static func openForReading(
        _ path: String, migrator: DatabaseMigrator, busyTimeout: Duration, trusting trusted: TrustedDirectories
    ) throws -> DatabaseQueue {
        guard FileManager.default.fileExists(atPath: path) else {
            throw StoreError(.unavailable, "there is no store \(path)", hint: "name the file of a store")
        }
        try checkOwnership(of: path, trusting: trusted)
        var configuration = configuration(path, migrator: migrator, busyTimeout: busyTimeout)
        configuration.readonly = true
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    private static func configuration(
        _ path: String, migrator: DatabaseMigrator, busyTimeout: Duration
    ) -> Configuration {
        var configuration = Configuration()
        configuration.label = "privyseal.store"
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(busyTimeout / .seconds(1))
        configuration.prepareDatabase { database in
            // One transaction, one moment: another process may be making its tables.
            try database.inTransaction(.deferred) {
                try admit(database, path, migrator)
                return .commit
            }
        }
        return configuration
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
        // A damaged page may lie where nothing looks for months.
        guard let finding = try String.fetchOne(database, sql: "PRAGMA quick_check(1)"), finding != "ok" else { return }
        throw StoreError.corrupt(
            "the store \(path) is damaged: \(finding.split(whereSeparator: \.isNewline).joined(separator: " "))")
    }
}
