import GRDB

extension SQLiteIssuerStore {
    /// As many starts as anybody could ask about; a note on a token is replaced at each.
    private static let agentLimit = 256

    public func noteAgents(_ ids: Set<String>) async throws {
        try await write { database in
            for id in ids.sorted() {
                try database.execute(literal: "DELETE FROM agent WHERE id = \(id)")
                try database.execute(literal: "INSERT INTO agent (id) VALUES (\(id))")
            }
            try database.execute(
                literal: "DELETE FROM agent WHERE sequence <= (SELECT max(sequence) FROM agent) - \(Self.agentLimit)")
        }
    }

    public func forgetAgents(_ ids: Set<String>) async throws {
        try await write { database in
            for id in ids { try database.execute(literal: "DELETE FROM agent WHERE id = \(id)") }
        }
    }

    static func agents(_ database: Database) throws -> Set<String> {
        try Set(String.fetchAll(database, sql: "SELECT id FROM agent"))
    }

    public func noteFrontends(_ count: Int) async throws {
        try await write { database in try database.execute(literal: "UPDATE meta SET frontends = \(count)") }
    }

    static func frontends(_ database: Database) throws -> Int {
        try Int.fetchOne(database, sql: "SELECT frontends FROM meta") ?? 0
    }
}
