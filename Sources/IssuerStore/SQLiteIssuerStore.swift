import Foundation
import GRDB
import KeyLifecycle

/// The store in one SQLite file, for the agents of one machine.
///
/// WAL, `synchronous=FULL`: a commit that has returned survives a power failure, and other programs may read beside it.
public struct SQLiteIssuerStore: IssuerStorage {
    public let deployment: Deployment
    /// The file, absolute.
    public let path: String
    let queue: DatabaseQueue

    init(deployment: Deployment, path: String, queue: DatabaseQueue) {
        self.deployment = deployment
        self.path = path
        self.queue = queue
    }

    /// Opens a store, makes it when there is no file, and brings the schema of an older release up to date.
    ///
    /// It blocks on the disk: for start-up. A new file gets the mode 0600, whatever the umask; its directory must exist.
    /// - Parameters:
    ///   - tenant: the configured tenant, which counts instead of the stored one as long as it is configured; the stored one
    ///     stays.
    ///   - minted: the identity that a new store takes on; one that has an identity keeps it.
    ///   - busyTimeout: how long a call waits for another process's transaction before it throws `.unavailable`.
    /// - Throws: `StoreError` with `.unavailable`, `.newerSchema`, or `.corrupt` also for a file that is no store.
    public init(
        path: String, tenant: String?, minted: Deployment, busyTimeout: Duration = .seconds(5)
    ) throws(StoreError) {
        // Absolute: SQLite gives some relative names a meaning of their own.
        let path = URL(fileURLWithPath: path).path
        let migrator = Schema.migrator(minted: minted)
        do {
            try StoreFile.makeIfMissing(path, migrator: migrator, busyTimeout: busyTimeout)
            queue = try StoreFile.open(path, migrator: migrator, busyTimeout: busyTimeout)
            // A writing transaction: a file that can only be read is found out now and not at the first change.
            let stored = try queue.write { database in try Self.storedDeployment(database, path) }
            deployment = Deployment(id: stored.id, tenant: tenant ?? stored.tenant)
        } catch {
            throw .reporting(error, path: path)
        }
        self.path = path
    }

    /// Opens a store for reading only, beside the agent that uses it: every call that writes throws `.unavailable`.
    ///
    /// - Throws: `StoreError`, with `.unavailable` also for a store of an older release that has not been brought up to date.
    public init(reading path: String, tenant: String?, busyTimeout: Duration = .seconds(5)) throws(StoreError) {
        let path = URL(fileURLWithPath: path).path
        let migrator = Schema.migrator(minted: Deployment(id: "", tenant: ""))
        do {
            queue = try StoreFile.openForReading(path, migrator: migrator, busyTimeout: busyTimeout)
            let stored = try queue.read { database in
                guard try migrator.hasCompletedMigrations(database) else {
                    throw StoreError(
                        .unavailable, "the store \(path) is of an older release", hint: "start the agent of this release once")
                }
                return try Self.storedDeployment(database, path)
            }
            deployment = Deployment(id: stored.id, tenant: tenant ?? stored.tenant)
        } catch {
            throw .reporting(error, path: path)
        }
        self.path = path
    }

    /// Refuses a file that others can write or replace, one of another user, and an empty one. Opening does so too; a lock
    /// beside the file is better taken after.
    public static func checkOwnership(of path: String) throws(StoreError) {
        do { try StoreFile.checkOwnership(of: path) } catch { throw .reporting(error, path: path) }
    }

    private static func storedDeployment(_ database: Database, _ path: String) throws -> Deployment {
        guard let row = try Row.fetchOne(database, sql: "SELECT id, tenant FROM deployment") else {
            throw StoreError.corrupt("the store \(path) has lost its deployment")
        }
        return try Deployment(id: row.decode(forColumn: "id"), tenant: row.decode(forColumn: "tenant"))
    }

    /// Runs one transaction for writing. A commit that has begun ends one way or the other even when the caller is
    /// cancelled, since the token may have been changed for it already.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(StoreError) -> Value {
        try await uncancelled { [queue] in try await queue.write(body) }
    }

    /// Runs one transaction for reading.
    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(StoreError) -> Value {
        try await uncancelled { [queue] in try await queue.read(body) }
    }

    private func uncancelled<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws(StoreError) -> Value {
        do {
            return try await Task { try await body() }.value
        } catch {
            throw .reporting(error, path: path)
        }
    }
}
