import GRDB

extension SQLiteIssuerStore {
    /// Lets the file grow by so many pages from now on, or with `nil` without limit: to SQLite that is a full disk. For tests.
    func limitPages(extra: Int?) async throws {
        try await queue.writeWithoutTransaction { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            try database.execute(sql: "PRAGMA max_page_count = \(extra.map { pages + $0 } ?? 4_294_967_294)")
        }
    }
}
