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
