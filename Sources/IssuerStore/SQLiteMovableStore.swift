import Foundation
import GRDB
public import KeyLifecycle
public import Platform

/// A place for a store in a file. Whoever moves one holds its lock.
public struct SQLiteMovableStore: MovableStore {
    private let path: String
    private let trusted: TrustedDirectories

    /// - Parameter path: of the file, which need not be there.
    public init(path: String, trusting trusted: TrustedDirectories = .none) {
        self.path = URL(fileURLWithPath: path).path
        self.trusted = trusted
    }

    public var place: String { path }

    public func standing() async throws -> StoreStanding {
        guard FileManager.default.fileExists(atPath: path) else {
            try SQLiteIssuerStore.checkOwnership(of: path, trusting: trusted)
            return .missing
        }
        return try await opened { queue, path in
            // Tables of an older release say nothing of moves.
            try queue.read { database in
                guard try Self.migrator.hasCompletedMigrations(database) else {
                    return .live(deployment: try SQLiteIssuerStore.storedDeployment(database, path).id)
                }
                return try SQLiteIssuerStore.standing(database, path)
            }
        }
    }

    public func export() async throws -> StoreExport {
        try await opened { queue, path in
            try queue.read { database in
                guard try Self.migrator.hasCompletedMigrations(database) else {
                    throw StoreError(
                        .unavailable, "the store \(path) is of an older release", hint: "start the agent of this release once")
                }
                return try SQLiteIssuerStore.export(database, path)
            }
        }
    }

    public func beginMigration(of deployment: Deployment) async throws {
        let (path, trusted) = (path, trusted)
        try await Self.blocking(path) {
            let migrator = Schema.migrator(minted: deployment)
            try StoreFile.makeIfMissing(path, migrator: migrator, busyTimeout: .seconds(5), trusting: trusted) { database in
                try database.execute(sql: "UPDATE meta SET state = 'migrating'")
            }
            let queue = try StoreFile.open(path, migrator: migrator, busyTimeout: .seconds(5), trusting: trusted)
            try queue.write { database in
                guard case .live = try SQLiteIssuerStore.standing(database, path) else {
                    return try database.execute(sql: "UPDATE meta SET state = 'migrating', moved_to = NULL")
                }
                throw StoreError(
                    .conflict, "there is a store \(path) that counts", hint: "name a file that does not exist yet")
            }
            try queue.close()
        }
    }

    public func fill(_ export: StoreExport, _ written: () async throws -> Void) async throws {
        try await changing { database, path in
            guard case .migrating = try SQLiteIssuerStore.standing(database, path) else {
                throw StoreError(.conflict, "the store \(path) is not to be filled", hint: "begin the move anew")
            }
            try SQLiteIssuerStore.replaceContents(with: export, database)
        }
        try await written()
    }

    public func markMoved(to place: String) async throws {
        try await changing { database, _ in
            try database.execute(literal: "UPDATE meta SET state = 'moved', moved_to = \(place)")
        }
    }

    public func endMigration() async throws {
        try await changing { database, _ in
            try database.execute(sql: "UPDATE meta SET state = NULL WHERE state = 'migrating'")
        }
    }

    private static let migrator = Schema.migrator(minted: Deployment(id: "", tenant: ""))

    private func changing(_ body: @escaping @Sendable (Database, String) throws -> Void) async throws {
        let (path, trusted) = (path, trusted)
        try await Self.blocking(path) {
            try StoreFile.requireFile(path)
            let queue = try StoreFile.open(path, migrator: Self.migrator, busyTimeout: .seconds(5), trusting: trusted)
            try queue.write { try body($0, path) }
            try queue.close()
        }
    }

    private func opened<Value: Sendable>(
        _ body: @escaping @Sendable (DatabaseQueue, String) throws -> Value
    ) async throws -> Value {
        let (path, trusted) = (path, trusted)
        return try await Self.blocking(path) {
            let queue = try StoreFile.openForReading(
                path, migrator: Self.migrator, busyTimeout: .seconds(5), trusting: trusted)
            let value = try body(queue, path)
            try queue.close()
            return value
        }
    }

    /// On a thread that may wait for a disk.
    private static func blocking<Value: Sendable>(
        _ path: String, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result { try body() }.mapError { StoreError.reporting($0, path: path) as any Error })
            }
        }
    }
}

extension SQLiteIssuerStore {
    /// Writes a whole store into one new file, as `copy(_:to:at:trusting:)` does of one in a file: an agent that opens it knows that
    /// the original may have moved on.
    ///
    /// - Throws: `StoreError`; then there is no copy. An existing file is not replaced.
    public static func make(
        of export: StoreExport, at destination: String, copiedAt moment: Timestamp, trusting trusted: TrustedDirectories = .none
    ) throws(StoreError) {
        let destination = URL(fileURLWithPath: destination).path
        var copy = export
        // A copy of a copy is as old as the first.
        copy.copiedAt = export.copiedAt ?? moment
        do {
            try refuseToReplace(destination, "a backup")
            let temporary = "\(destination).\(SystemRandom.hexadecimal(bytes: 8)).new"
            defer { removeFiles(of: temporary) }
            try StoreFile.makeIfMissing(
                temporary, migrator: Schema.migrator(minted: export.deployment), busyTimeout: .seconds(5), trusting: trusted
            ) { [copy] database in try replaceContents(with: copy, database) }
            try verify(temporary, trusting: trusted)
            try link(temporary, to: destination, orRefuse: "a backup")
        } catch {
            throw .reporting(error, path: destination)
        }
    }
}
