import Foundation
import GRDB
import KeyLifecycle

/// A whole store, out of the tables and into them.
extension SQLiteIssuerStore {
    static func standing(_ database: Database, _ path: String) throws -> StoreStanding {
        let deployment = try storedDeployment(database, path).id
        guard let row = try Row.fetchOne(database, sql: "SELECT state, moved_to FROM meta") else {
            return .live(deployment: deployment)
        }
        switch try row.decode(String?.self, forColumn: "state") {
        case "moved":
            return .moved(deployment: deployment, to: try row.decode(String?.self, forColumn: "moved_to") ?? "another place")
        case "migrating": return .migrating(deployment: deployment)
        default: return .live(deployment: deployment)
        }
    }

    static func export(_ database: Database, _ path: String) throws -> StoreExport {
        var gone: [KeyID: StoreExport.GoneKey] = [:]
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM destruction WHERE destroyed_at IS NOT NULL OR lost_at IS NOT NULL")
        for row in rows {
            let destroyedAt = try row.optionalTimestamp("destroyed_at")
            guard let at = try destroyedAt ?? row.optionalTimestamp("lost_at") else { continue }
            gone[try row.keyID("key_id")] = StoreExport.GoneKey(
                issuer: try row.decode(forColumn: "issuer"), isLost: destroyedAt == nil, at: at)
        }
        return StoreExport(
            deployment: try storedDeployment(database, path), contents: try contents(database), gone: gone,
            refusedPIN: try refusedPIN(database))
    }

    /// Has the tables hold this and nothing else. Whether the store counts stays as it is.
    static func replaceContents(with export: StoreExport, _ database: Database) throws {
        let tables = [
            "accepted_issuer", "signing_key", "issuer", "generation_intent", "destruction", "quarantined_key", "former_issuer",
            "agent", "refused_pin", "deployment",
        ]
        for table in tables { try database.execute(sql: "DELETE FROM \(table)") }
        try database.execute(
            literal: """
                INSERT INTO deployment (singleton, id, tenant)
                VALUES (1, \(export.deployment.id), \(export.deployment.tenant))
                """)
        for issuer in export.issuers {
            try issuer.insert(into: database)
            for (position, key) in issuer.ring.keys.enumerated() {
                try key.insert(into: database, issuer: issuer.name, position: position)
            }
            try insertAcceptedIssuers(of: issuer, database)
        }
        for (name, generation) in export.formerGenerations {
            try database.execute(
                literal: "INSERT INTO former_issuer (name, generation) VALUES (\(name.text), \(generation))")
        }
        for intent in export.intents { try insert(intent, database) }
        for destruction in export.destructions { try insert(destruction, database) }
        for key in export.quarantined { try key.insert(into: database) }
        for (keyID, key) in export.gone { try insert(key, keyID, database) }
        for id in export.agents.sorted() { try database.execute(literal: "INSERT INTO agent (id) VALUES (\(id))") }
        if let refused = export.refusedPIN { try insert(refused, database) }
        try database.execute(
            literal: """
                UPDATE meta SET last_change = \(export.lastChange?.seconds), token_label = \(export.token?.label),
                  token_serial = \(export.token?.serial), copied_at = \(export.copiedAt?.seconds), frontends = \(export.frontends)
                """)
    }

    private static func insert(_ destruction: PendingDestruction, _ database: Database) throws {
        try database.execute(
            literal: """
                INSERT INTO destruction (key_id, issuer, requested_at, public_key, stray)
                VALUES (
                  \(destruction.keyID.blob), \(destruction.issuer.text), \(destruction.requestedAt.seconds),
                  \(destruction.publicKey.map { Data($0) }), \(destruction.isStray)
                )
                """)
    }

    private static func insert(_ key: StoreExport.GoneKey, _ keyID: KeyID, _ database: Database) throws {
        let (destroyedAt, lostAt) = key.isLost ? (nil, key.at.seconds) : (key.at.seconds, nil)
        try database.execute(
            literal: """
                INSERT INTO destruction (key_id, issuer, requested_at, destroyed_at, lost_at)
                VALUES (\(keyID.blob), \(key.issuer), \(key.at.seconds), \(destroyedAt), \(lostAt))
                """)
    }
}
