import Foundation
import ProcessSupport

/// The store's database, through the `sqlite3` program.
struct StoreFiles {
    let directory: String
    private var path: String { directory + "/store.db" }

    init(directory: String) {
        self.directory = directory
    }

    /// The rows of a query, while the agent has the store open.
    func rows(_ query: String) async throws -> [[String]] {
        try await Self.run(["-readonly", "-separator", "|", path, ".timeout 5000", query])
    }

    /// The rows of a query in a copy, so that the log of a killed agent stays for the next one to replay.
    func rowsOfCopy(_ query: String) async throws -> [[String]] {
        let copy = directory + "/store-copy.db"
        let files = FileManager.default
        for suffix in ["", "-wal"] {
            try? files.removeItem(atPath: copy + suffix)
            if files.fileExists(atPath: path + suffix) { try files.copyItem(atPath: path + suffix, toPath: copy + suffix) }
        }
        // Made anew from the log, as after a power failure.
        try? files.removeItem(atPath: copy + "-shm")
        return try await Self.run(["-separator", "|", copy, query])
    }

    /// Whether no generation, no destruction and no revocation is under way, and every issuer has its standby key.
    func isSettled() async throws -> Bool {
        let undone = """
            SELECT count(*) FROM (
              SELECT key_id FROM generation_intent WHERE tombstone = 0
              UNION ALL SELECT key_id FROM destruction WHERE destroyed_at IS NULL AND lost_at IS NULL
              UNION ALL SELECT name FROM issuer WHERE revoking_kids IS NOT NULL
              UNION ALL SELECT name FROM issuer
                WHERE name NOT IN (SELECT issuer FROM signing_key WHERE state = 'standby'))
            """
        return try await rows(undone) == [["0"]]
    }

    /// The generation of an issuer; nil when there is none of that name.
    func generation(of issuer: String) async throws -> String? {
        try await rows("SELECT generation FROM issuer WHERE name = '\(issuer)'").first?.first
    }

    /// Makes the overlap of an issuer's retiring key over. Only while no agent runs.
    func endOverlap(of issuer: String) async throws {
        try await write(
            """
            UPDATE signing_key SET expires_at = CAST(strftime('%s', 'now') AS INTEGER) - 1
            WHERE state = 'retiring' AND issuer = '\(issuer)'
            """)
    }

    /// Changes the store. Only while no agent runs.
    func write(_ statement: String) async throws {
        _ = try await Self.run([path, statement])
    }

    /// Locks the database against writers until the returned value is let go.
    func lock() async throws -> WriteTransaction { try await WriteTransaction(path: path) }

    private static func run(_ arguments: [String]) async throws -> [[String]] {
        let outcome = try await Programs.run(at: "/usr/bin/sqlite3", arguments)
        guard outcome.status == 0 else { throw CampaignError("sqlite3: \(outcome.errors)") }
        return outcome.output.split(separator: "\n").map { line in
            line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        }
    }
}

/// A transaction that keeps every other writer waiting.
final class WriteTransaction {
    private let process: ChildProcess

    private static let script = """
        import sqlite3, sys, time
        d = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
        d.execute("BEGIN IMMEDIATE")
        print("locked", flush=True)
        time.sleep(3600)
        """

    fileprivate init(path: String) async throws {
        let output = try TemporaryFile()
        process = try ChildProcess("/usr/bin/python3", ["-c", Self.script, path], output: output.path)
        guard await poll("the lock", { [process] in try output.text == "locked\n" || !process.isRunning }), process.isRunning
        else { throw CampaignError("the store cannot be locked") }
    }

    /// Ends the process and with it the transaction, which has changed nothing. The store's log stays as it is.
    func release() {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        while process.isRunning { usleep(1_000) }
    }

    deinit {
        release()
    }
}
