import GRDB
public import KeyLifecycle

extension SQLiteIssuerStore {
    @discardableResult
    public func commit(_ change: IssuerChange, fulfilling: [KeyID]) async throws -> Int64? {
        try await write { database in try Self.commit(change, fulfilling, database) }
        return nil
    }

    public func settle(_ settlement: Settlement) async throws {
        try await write { database in
            for (change, fulfilling) in settlement.changes { try Self.commit(change, fulfilling, database) }
            if let lostAt = settlement.lostAt?.seconds {
                try database.execute(
                    literal: """
                        INSERT INTO destruction (key_id, issuer, requested_at, public_key)
                        SELECT key_id, issuer, \(lostAt), public_key FROM quarantined_key
                        """)
                try database.execute(sql: "DELETE FROM quarantined_key")
                try database.execute(
                    literal: "UPDATE destruction SET lost_at = \(lostAt) WHERE destroyed_at IS NULL AND lost_at IS NULL")
            }
            try Self.noteToken(settlement.token, database)
            try database.execute(sql: "UPDATE meta SET copied_at = NULL")
        }
    }

    private static func commit(_ change: IssuerChange, _ fulfilling: [KeyID], _ database: Database) throws {
        try swapIssuer(change, database)
        try commitKeys(change, fulfilling, database)
        if let issuer = change.issuer {
            try replaceAcceptedIssuers(of: issuer, database)
        } else {
            try database.execute(
                literal: """
                    INSERT OR REPLACE INTO former_issuer (name, generation)
                    SELECT name, generation FROM issuer WHERE name = \(change.name.text)
                    """)
            try database.execute(literal: "DELETE FROM issuer WHERE name = \(change.name.text)")
        }
        let moment = change.at.seconds
        try database.execute(literal: "UPDATE meta SET last_change = max(ifnull(last_change, \(moment)), \(moment))")
    }

    /// The compare-and-swap. A deleted issuer stays until its keys have been looked at.
    private static func swapIssuer(_ change: IssuerChange, _ database: Database) throws {
        switch (change.expectedGeneration, change.issuer) {
        case (nil, let issuer?):
            guard try generation(of: change.name, database) == nil else {
                throw StoreError.conflict("there is an issuer \(change.name) already")
            }
            let former = try Int.fetchOne(
                database, sql: "SELECT generation FROM former_issuer WHERE name = ?", arguments: [change.name.text])
            guard issuer.generation > former ?? 0 else {
                throw StoreError.conflict("an issuer \(change.name) was at generation \(former ?? 0) before it was deleted")
            }
            try issuer.insert(into: database)
        case (let expected?, let issuer?):
            guard try issuer.replace(in: database, expecting: expected) else {
                throw try generationConflict(change, database)
            }
        case (_, nil):
            guard let expected = change.expectedGeneration, try generation(of: change.name, database) == expected else {
                throw try generationConflict(change, database)
            }
        }
    }

    private static func generation(of name: IssuerName, _ database: Database) throws -> Int? {
        try Int.fetchOne(database, sql: "SELECT generation FROM issuer WHERE name = ?", arguments: [name.text])
    }

    private static func generationConflict(_ change: IssuerChange, _ database: Database) throws -> StoreError {
        guard let generation = try generation(of: change.name, database) else {
            return .conflict("there is no issuer \(change.name) any more")
        }
        return .conflict("the issuer \(change.name) has been changed by somebody else: it is at generation \(generation)")
    }

    private static func commitKeys(_ change: IssuerChange, _ fulfilling: [KeyID], _ database: Database) throws {
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM signing_key WHERE issuer = ? ORDER BY position", arguments: [change.name.text])
        let difference = try KeyRingDifference(change, stored: rows.map(SigningKey.init))
        let wanted = Set(difference.added.map(\.key.keyID)).subtracting([change.retained].compactMap(\.self))
        guard wanted == Set(fulfilling) else {
            throw StoreError.conflict("the new keys of the issuer \(change.name) are not those whose intents are fulfilled")
        }
        for keyID in Set(fulfilling) {
            try database.execute(
                literal: """
                    DELETE FROM generation_intent
                    WHERE key_id = \(keyID.blob) AND issuer = \(change.name.text) AND tombstone = 0
                    """)
            guard database.changesCount == 1 else {
                throw StoreError.conflict("there is no open intent for the key \(keyID) of the issuer \(change.name)")
            }
        }
        for key in difference.updated { try key.update(in: database) }
        for (position, key) in difference.added {
            try key.insert(into: database, issuer: change.name, position: position)
        }
        for key in change.destroyed {
            try requestDestruction(of: key.keyID, key.publicKey, issuer: change.name, at: change.at, database)
        }
        for key in change.quarantined { try key.insert(into: database) }
    }

    private static func replaceAcceptedIssuers(of issuer: Issuer, _ database: Database) throws {
        guard try acceptedIssuers(of: issuer.name, database) != issuer.acceptedIssuers else { return }
        try database.execute(literal: "DELETE FROM accepted_issuer WHERE issuer = \(issuer.name.text)")
        try insertAcceptedIssuers(of: issuer, database)
    }

    static func insertAcceptedIssuers(of issuer: Issuer, _ database: Database) throws {
        for (position, accepted) in issuer.acceptedIssuers.enumerated() {
            try database.execute(
                literal: """
                    INSERT INTO accepted_issuer (issuer, position, url, expires_at)
                    VALUES (\(issuer.name.text), \(position), \(accepted.url), \(accepted.expiresAt.seconds))
                    """)
        }
    }
}
