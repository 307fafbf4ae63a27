import Foundation
import GRDB
import KeyLifecycle
import Platform

extension SQLiteIssuerStore {
    public func checkPlace() async throws {
        let open = connection.open
        try await uncancelled { [connection] in
            // Beside nothing else: a file that is being exchanged is in no place.
            try await open.queue.writeWithoutTransaction { _ in try connection.check(open) }
        }
    }

    public func probe() async throws {
        try await write { database in
            // What is there already would not be written.
            try database.execute(sql: "UPDATE meta SET probes = probes + 1")
        }
    }

    public func save() async throws -> String? {
        let open = connection.open
        return try await uncancelled { [self] () async throws -> String? in
            // No commit comes in between: all of them go through here, and those after it find themselves displaced.
            try await open.queue.writeWithoutTransaction { database -> String? in
                do throws(StoreError) {
                    try connection.check(open)
                    return nil
                } catch {
                    guard error.code == .displaced else { throw error }
                    return try writeAnew(database)
                }
            }
        }
    }

    /// Writes everything into a new file and goes on in that one.
    ///
    /// - Throws: `StoreError`; then the store is as it was.
    private func writeAnew(_ database: Database) throws -> String {
        // Where a link is still there, what it leads to is what was lost.
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: path)
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        let destination = link.map { URL(fileURLWithPath: $0, relativeTo: directory).path } ?? path
        for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: destination + suffix) {
            throw StoreError(
                .displaced, "\(destination)\(suffix) is in the way: saving the store replaces nothing",
                hint: "move it away first, and keep it until you know what it is")
        }
        try StoreFile.checkDirectory(of: destination, trusting: trusted)
        // Before there is a file that another process could find unlocked.
        try connection.hold()
        let temporary = "\(destination).\(SystemRandom.hexadecimal(bytes: 8)).new"
        defer { Self.removeFiles(of: temporary) }
        try Self.makeCopy(at: temporary) { try database.backup(to: $0) }
        try Self.verify(temporary, trusting: trusted)
        try Self.link(temporary, to: destination, orRefuse: "saving the store")
        do {
            let queue = try StoreFile.open(destination, migrator: migrator, busyTimeout: busyTimeout, trusting: trusted)
            _ = try queue.write { database in try Self.storedDeployment(database, path) }
            connection.exchange(for: StoreConnection.Open(queue: queue, place: try StorePlace(ofOpenStore: path)))
        } catch {
            // It would be in the way of the next attempt.
            try? FileManager.default.removeItem(atPath: destination)
            throw error
        }
        return destination
    }
}
