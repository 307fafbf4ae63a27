import GRDB

extension SQLiteIssuerStore {
    /// The same store under the identity that a lost one had, so that it recognises that one's keys.
    ///
    /// - Throws: `StoreError` with `.conflict` when the store has recorded anything under its own identity.
    public func takingOver(deployment id: String) async throws(StoreError) -> SQLiteIssuerStore {
        try await write { database in
            let tables = ["issuer", "signing_key", "generation_intent", "destruction", "quarantined_key", "former_issuer"]
            for table in tables where try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table)") != 0 {
                throw StoreError(
                    .conflict, "the store \(path) has been used under an identity of its own",
                    hint: "move it away, and let a new one be made")
            }
            try database.execute(literal: "UPDATE deployment SET id = \(id)")
        }
        return SQLiteIssuerStore(self, as: Deployment(id: id, tenant: deployment.tenant))
    }
}

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
