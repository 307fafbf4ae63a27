import Foundation
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
                      OR EXISTS (SELECT * FROM quarantined_key WHERE key_id = :id)
                    """, arguments: ["id": intent.keyID.blob])
            guard isKnown == false else { throw StoreError.conflict("the CKA_ID \(intent.keyID) has been used before") }
            try Self.insert(intent, database)
        }
    }

    static func insert(_ intent: GenerationIntent, _ database: Database) throws {
        try database.execute(
            literal: """
                INSERT INTO generation_intent (key_id, issuer, algorithm, recorded_at, tombstone)
                VALUES (
                  \(intent.keyID.blob), \(intent.issuer.text), \(intent.algorithm.rawValue),
                  \(intent.recordedAt.seconds), \(intent.isTombstone)
                )
                """)
    }

    public func bury(_ keyID: KeyID) async throws {
        try await write { database in
            try database.execute(
                literal: "UPDATE generation_intent SET tombstone = 1 WHERE key_id = \(keyID.blob)")
            guard database.changesCount == 1 else { throw StoreError.conflict("there is no intent for the key \(keyID)") }
        }
    }

    public func abandon(_ keyID: KeyID, publicKey: [UInt8]?, at moment: Timestamp) async throws {
        try await write { database in
            if let quarantined = try Row.fetchOne(
                database, sql: "SELECT * FROM quarantined_key WHERE key_id = ?", arguments: [keyID.blob])
            {
                let key = try QuarantinedKey(quarantined)
                try database.execute(literal: "DELETE FROM quarantined_key WHERE key_id = \(keyID.blob)")
                return try Self.requestDestruction(of: keyID, key.publicKey, issuer: key.issuer, at: moment, database)
            }
            let row = try Row.fetchOne(
                database, sql: "SELECT issuer FROM generation_intent WHERE key_id = ?", arguments: [keyID.blob])
            guard let row else {
                guard try Self.isDestructionPending(keyID, database) else {
                    throw StoreError.conflict("there is no intent for the key \(keyID)")
                }
                return
            }
            try database.execute(literal: "DELETE FROM generation_intent WHERE key_id = \(keyID.blob)")
            try Self.requestDestruction(of: keyID, publicKey, issuer: row.issuerName("issuer"), at: moment, database)
        }
    }

    public func markDestroyed(_ keyID: KeyID, at moment: Timestamp) async throws {
        try await write { database in
            try database.execute(
                literal: """
                    UPDATE destruction SET destroyed_at = ifnull(destroyed_at, \(moment.seconds))
                    WHERE key_id = \(keyID.blob) AND lost_at IS NULL
                    """)
            guard database.changesCount == 1 else {
                throw StoreError.conflict("the key \(keyID) is not to be destroyed")
            }
        }
    }

    public func strandDestructions() async throws {
        try await write { database in
            try database.execute(sql: "UPDATE destruction SET stray = 1 WHERE destroyed_at IS NULL AND lost_at IS NULL")
        }
    }

    public func recognised(_ keyIDs: Set<KeyID>) async throws -> Set<KeyID> {
        try await read { database in
            try keyIDs.filter { keyID in
                try ["generation_intent", "signing_key", "destruction", "quarantined_key"].contains { table in
                    try Bool.fetchOne(
                        database, sql: "SELECT EXISTS (SELECT * FROM \(table) WHERE key_id = ?)", arguments: [keyID.blob])
                        == true
                }
            }
        }
    }

    static func requestDestruction(
        of keyID: KeyID, _ publicKey: [UInt8]?, issuer: IssuerName, at moment: Timestamp, _ database: Database
    ) throws {
        try database.execute(
            literal: """
                INSERT INTO destruction (key_id, issuer, requested_at, public_key)
                VALUES (\(keyID.blob), \(issuer.text), \(moment.seconds), \(publicKey.map { Data($0) }))
                """)
    }

    private static func isDestructionPending(_ keyID: KeyID, _ database: Database) throws -> Bool {
        let found = try Bool.fetchOne(
            database,
            sql: "SELECT EXISTS (SELECT * FROM destruction WHERE key_id = ? AND destroyed_at IS NULL AND lost_at IS NULL)",
            arguments: [keyID.blob])
        return found == true
    }
}
