import Foundation
import GRDB
import KeyLifecycle

extension SQLiteIssuerStore {
    public func contents() async throws -> StoreContents {
        try await read { database in try Self.contents(database) }
    }

    static func contents(_ database: Database) throws -> StoreContents {
        StoreContents(
            issuers: try Self.issuers(database), intents: try Self.intents(database),
            destructions: try Self.pendingDestructions(database), lastChange: try Self.lastChange(database),
            quarantined: try Self.quarantined(database), formerGenerations: try Self.formerGenerations(database),
            token: try Self.token(database), copiedAt: try Self.copiedAt(database),
            agents: try Self.agents(database), frontends: try Self.frontends(database))
    }

    static func acceptedIssuers(of name: IssuerName, _ database: Database) throws -> [AcceptedIssuer] {
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM accepted_issuer WHERE issuer = ? ORDER BY position", arguments: [name.text])
        return try rows.map(acceptedIssuer)
    }

    private static func issuers(_ database: Database) throws -> [Issuer] {
        let accepted = try Row.fetchAll(database, sql: "SELECT * FROM accepted_issuer ORDER BY issuer, position")
        let acceptedByIssuer = try Dictionary(grouping: accepted) { row in try row.issuerName("issuer") }
        let keys = try Row.fetchAll(database, sql: "SELECT * FROM signing_key ORDER BY issuer, position")
        let keysByIssuer = try Dictionary(grouping: keys) { row in try row.issuerName("issuer") }
        return try Row.fetchAll(database, sql: "SELECT * FROM issuer ORDER BY name").map { row in
            let name = try row.issuerName("name")
            return try Issuer(
                row, acceptedIssuers: (acceptedByIssuer[name] ?? []).map(acceptedIssuer),
                keys: (keysByIssuer[name] ?? []).map(SigningKey.init))
        }
    }

    private static func acceptedIssuer(_ row: Row) throws -> AcceptedIssuer {
        AcceptedIssuer(url: try row.decode(forColumn: "url"), expiresAt: try row.timestamp("expires_at"))
    }

    private static func intents(_ database: Database) throws -> [GenerationIntent] {
        try Row.fetchAll(database, sql: "SELECT * FROM generation_intent ORDER BY sequence").map { row in
            GenerationIntent(
                keyID: try row.keyID("key_id"), issuer: try row.issuerName("issuer"),
                algorithm: try row.algorithm("algorithm"), recordedAt: try row.timestamp("recorded_at"),
                isTombstone: try row.decode(forColumn: "tombstone"))
        }
    }

    private static func pendingDestructions(_ database: Database) throws -> [PendingDestruction] {
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM destruction WHERE destroyed_at IS NULL AND lost_at IS NULL ORDER BY sequence")
        return try rows.map { row in
            PendingDestruction(
                keyID: try row.keyID("key_id"), issuer: try row.issuerName("issuer"),
                requestedAt: try row.timestamp("requested_at"),
                publicKey: try row.decode(Data?.self, forColumn: "public_key").map(Array.init),
                isStray: try row.decode(forColumn: "stray"))
        }
    }

    private static func quarantined(_ database: Database) throws -> [QuarantinedKey] {
        try Row.fetchAll(database, sql: "SELECT * FROM quarantined_key ORDER BY sequence").map { try QuarantinedKey($0) }
    }

    private static func formerGenerations(_ database: Database) throws -> [IssuerName: Int] {
        let rows = try Row.fetchAll(database, sql: "SELECT * FROM former_issuer")
        return try Dictionary(
            uniqueKeysWithValues: rows.map { (try $0.issuerName("name"), try $0.decode(forColumn: "generation")) })
    }

    private static func copiedAt(_ database: Database) throws -> Timestamp? {
        try Row.fetchOne(database, sql: "SELECT copied_at FROM meta")?.optionalTimestamp("copied_at")
    }

    private static func lastChange(_ database: Database) throws -> Timestamp? {
        guard let row = try Row.fetchOne(database, sql: "SELECT last_change FROM meta") else {
            throw StoreError.corrupt("the store has lost the moment of its last change")
        }
        return try row.optionalTimestamp("last_change")
    }
}
