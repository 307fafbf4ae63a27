import Foundation
import GRDB
import KeyLifecycle
public import Platform

/// The store in one SQLite file, for the agents of one machine.
///
/// WAL, `synchronous=FULL`: a commit that has returned survives a power failure, and other programs may read beside it.
public struct SQLiteIssuerStore: IssuerStorage {
    public let deployment: Deployment
    /// The file, absolute.
    public let path: String
    let connection: StoreConnection
    let migrator: DatabaseMigrator
    let busyTimeout: Duration
    let trusted: TrustedDirectories

    /// The connection that is in use now.
    var queue: DatabaseQueue { connection.open.queue }

    /// The same store under another identity.
    init(_ store: SQLiteIssuerStore, as deployment: Deployment) {
        self.deployment = deployment
        (path, connection, migrator, busyTimeout) = (store.path, store.connection, store.migrator, store.busyTimeout)
        trusted = store.trusted
    }

    /// Opens a store, makes it when there is no file and an identity is minted for it, and brings the schema of an older release
    /// up to date.
    ///
    /// It blocks on the disk: for start-up. A new file gets the mode 0600, whatever the umask; its directory must exist.
    /// - Parameters:
    ///   - tenant: the configured tenant, which counts instead of the stored one as long as it is configured; the stored one
    ///     stays.
    ///   - minted: the identity that a new store takes on; one that has an identity keeps it. With `nil` there has to be one.
    ///   - busyTimeout: how long a call waits for another process's transaction before it throws `.unavailable`.
    ///   - lock: what keeps other processes from the store, held. Its file is made again when somebody removes it.
    ///   - trusted: directories in which others could put files by their mode, and do not.
    /// - Throws: `StoreError` with `.missing`, `.moved`, `.unavailable`, `.newerSchema`, or `.corrupt` also for a file that is no store.
    public init(
        path: String, tenant: String?, minted: Deployment?, busyTimeout: Duration = .seconds(5), lock: FileLock? = nil,
        trusting trusted: TrustedDirectories = .none
    ) throws(StoreError) {
        // Absolute: SQLite gives some relative names a meaning of their own.
        let path = URL(fileURLWithPath: path).path
        let migrator = Schema.migrator(minted: minted ?? Deployment(id: "", tenant: ""))
        do {
            if minted == nil {
                try StoreFile.requireFile(path)
            } else {
                try StoreFile.makeIfMissing(path, migrator: migrator, busyTimeout: busyTimeout, trusting: trusted)
            }
            let queue = try StoreFile.open(path, migrator: migrator, busyTimeout: busyTimeout, trusting: trusted)
            // A writing transaction: a file that can only be read is found out now and not at the first change.
            let stored = try queue.write { database in
                try Self.requireInUse(database, path)
                return try Self.storedDeployment(database, path)
            }
            deployment = Deployment(id: stored.id, tenant: tenant ?? stored.tenant)
            let place = try StorePlace(ofOpenStore: path)
            connection = StoreConnection(StoreConnection.Open(queue: queue, place: place), lock: lock)
        } catch {
            throw .reporting(error, path: path)
        }
        (self.path, self.migrator, self.busyTimeout) = (path, migrator, busyTimeout)
        self.trusted = trusted
    }

    /// Opens a store for reading only, beside the agent that uses it: every call that writes throws `.unavailable`.
    ///
    /// - Throws: `StoreError`, with `.unavailable` also for a store of an older release that has not been brought up to date.
    public init(
        reading path: String, tenant: String?, busyTimeout: Duration = .seconds(5), trusting trusted: TrustedDirectories = .none
    ) throws(StoreError) {
        let path = URL(fileURLWithPath: path).path
        let migrator = Schema.migrator(minted: Deployment(id: "", tenant: ""))
        do {
            let queue = try StoreFile.openForReading(
                path, migrator: migrator, busyTimeout: busyTimeout, trusting: trusted)
            let stored = try queue.read { database in
                guard try migrator.hasCompletedMigrations(database) else {
                    throw StoreError(
                        .unavailable, "the store \(path) is of an older release", hint: "start the agent of this release once")
                }
                try Self.requireInUse(database, path)
                return try Self.storedDeployment(database, path)
            }
            deployment = Deployment(id: stored.id, tenant: tenant ?? stored.tenant)
            connection = StoreConnection(StoreConnection.Open(queue: queue, place: nil), lock: nil)
        } catch {
            throw .reporting(error, path: path)
        }
        (self.path, self.migrator, self.busyTimeout) = (path, migrator, busyTimeout)
        self.trusted = trusted
    }

    /// Refuses a file that others can write or replace, one of another user, and an empty one; where there is none, a
    /// directory in which others could put one. Opening does so too; a lock beside the file is better taken after.
    public static func checkOwnership(of path: String, trusting trusted: TrustedDirectories = .none) throws(StoreError) {
        do {
            guard FileManager.default.fileExists(atPath: path) else {
                return try StoreFile.checkDirectory(of: path, trusting: trusted)
            }
            try StoreFile.checkOwnership(of: path, trusting: trusted)
        } catch {
            throw .reporting(error, path: path)
        }
    }

    /// - Throws: `StoreError` with `.missing` when there is no file, and `.corrupt` when there is only a part of a store.
    public static func requireFile(at path: String) throws(StoreError) {
        do {
            try StoreFile.requireFile(path)
        } catch {
            throw .reporting(error, path: path)
        }
    }

    /// - Throws: `StoreError` with `.moved` for a store that has been moved away, or is being filled.
    static func requireInUse(_ database: Database, _ path: String) throws {
        switch try standing(database, path) {
        case .moved(_, let place):
            throw StoreError(
                .moved, "the store \(path) has been moved to \(place), and that one counts",
                hint: "configure it as store; to come back, move it here again: privyseald store move --to sqlite")
        case .migrating:
            throw StoreError(
                .moved, "the store \(path) is being filled from another one, and that has not ended",
                hint: "go on with privyseald store move, with the configuration that it was begun with")
        case .live, .missing: break
        }
    }

    static func storedDeployment(_ database: Database, _ path: String) throws -> Deployment {
        guard let row = try Row.fetchOne(database, sql: "SELECT id, tenant FROM deployment") else {
            throw StoreError.corrupt("the store \(path) has lost its deployment")
        }
        let deployment = try Deployment(id: row.decode(forColumn: "id"), tenant: row.decode(forColumn: "tenant"))
        guard !deployment.id.isEmpty else { throw StoreError.corrupt("the store \(path) has no identity") }
        return deployment
    }

    /// Runs one transaction for writing, unless the next start would not find what it commits. A commit that has begun ends
    /// one way or the other even when the caller is cancelled, since the token may have been changed for it already.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(StoreError) -> Value {
        let open = connection.open
        return try await uncancelled { [connection] in
            try await open.queue.write { database in
                let value = try body(database)
                try connection.check(open)
                return value
            }
        }
    }

    /// Runs one transaction for reading.
    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(StoreError) -> Value {
        try await uncancelled { [queue] in try await queue.read(body) }
    }

    func uncancelled<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws(StoreError) -> Value {
        do {
            return try await Task { try await body() }.value
        } catch {
            throw .reporting(error, path: path)
        }
    }
}
