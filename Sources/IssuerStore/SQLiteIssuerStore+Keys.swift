import GRDB
public import KeyLifecycle

/// What has to be finished on the token.
extension SQLiteIssuerStore {
    public func record(_ intent: GenerationIntent) async throws {
        try await write { database in
            // One CKA_ID stands for one key for ever: two would be destroyed together.
            let isKnown = try Bool.fetchOne(
                database,
                sql: """
                    SELECT EXISTS (SELECT * FROM generation_intent WHERE key_id = :id)
                      OR EXISTS (SELECT * FROM signing_key WHERE key_id = :id)
                      OR EXISTS (SELECT * FROM destruction WHERE key_id = :id)
                    """, arguments: ["id": intent.keyID.blob])
            guard isKnown == false else { throw StoreError.conflict("the CKA_ID \(intent.keyID) has been used before") }
            try database.execute(
                literal: """
                    INSERT INTO generation_intent (key_id, issuer, algorithm, recorded_at, tombstone)
                    VALUES (
                      \(intent.keyID.blob), \(intent.issuer.text), \(intent.algorithm.rawValue),
                      \(intent.recordedAt.seconds), \(intent.isTombstone)
                    )
                    """)
        }
    }

    public func bury(_ keyID: KeyID) async throws {
        try await write { database in
            try database.execute(
                literal: "UPDATE generation_intent SET tombstone = 1 WHERE key_id = \(keyID.blob)")
            guard database.changesCount == 1 else { throw StoreError.conflict("there is no intent for the key \(keyID)") }
        }
    }

    public func abandon(_ keyID: KeyID, at moment: Timestamp) async throws {
        try await write { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT issuer FROM generation_intent WHERE key_id = ?", arguments: [keyID.blob])
            guard let row else {
                guard try Self.isDestructionPending(keyID, database) else {
                    throw StoreError.conflict("there is no intent for the key \(keyID)")
                }
                return
            }
            try database.execute(literal: "DELETE FROM generation_intent WHERE key_id = \(keyID.blob)")
            try Self.requestDestruction(of: keyID, issuer: row.issuerName("issuer"), at: moment, database)
        }
    }

    public func markDestroyed(_ keyID: KeyID, at moment: Timestamp) async throws {
        try await write { database in
            try database.execute(
                literal: """
                    UPDATE destruction SET destroyed_at = ifnull(destroyed_at, \(moment.seconds))
                    WHERE key_id = \(keyID.blob)
                    """)
            guard database.changesCount == 1 else {
                throw StoreError.conflict("the key \(keyID) is not to be destroyed")
            }
        }
    }

    static func requestDestruction(
        of keyID: KeyID, issuer: IssuerName, at moment: Timestamp, _ database: Database
    ) throws {
        try database.execute(
            literal: """
                INSERT INTO destruction (key_id, issuer, requested_at)
                VALUES (\(keyID.blob), \(issuer.text), \(moment.seconds))
                """)
    }

    private static func isDestructionPending(_ keyID: KeyID, _ database: Database) throws -> Bool {
        let found = try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT * FROM destruction WHERE key_id = ? AND destroyed_at IS NULL)",
            arguments: [keyID.blob])
        return found == true
    }
}
