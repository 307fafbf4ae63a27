import GRDB
import KeyLifecycle

extension SQLiteIssuerStore {
    public func noteToken(_ token: TokenIdentity) async throws {
        try await write { database in try Self.noteToken(token, database) }
    }

    static func noteToken(_ token: TokenIdentity, _ database: Database) throws {
        try database.execute(literal: "UPDATE meta SET token_label = \(token.label), token_serial = \(token.serial)")
    }

    static func token(_ database: Database) throws -> TokenIdentity? {
        guard let row = try Row.fetchOne(database, sql: "SELECT token_label, token_serial FROM meta"),
            let label = try row.decode(String?.self, forColumn: "token_label"),
            let serial = try row.decode(String?.self, forColumn: "token_serial")
        else { return nil }
        return TokenIdentity(label: label, serial: serial)
    }
}

extension SQLiteIssuerStore {
    public func refusedPIN() async throws -> RefusedPIN? {
        try await read { database in try Self.refusedPIN(database) }
    }

    static func refusedPIN(_ database: Database) throws -> RefusedPIN? {
        try Row.fetchOne(database, sql: "SELECT * FROM refused_pin").map { row in
            RefusedPIN(
                source: try row.decode(forColumn: "source"), returnValue: try row.decode(forColumn: "return_value"),
                at: try row.timestamp("refused_at"))
        }
    }

    public func setRefusedPIN(_ refused: RefusedPIN?) async throws {
        try await write { database in
            try database.execute(sql: "DELETE FROM refused_pin")
            if let refused { try Self.insert(refused, database) }
        }
    }

    static func insert(_ refused: RefusedPIN, _ database: Database) throws {
        try database.execute(
            literal: """
                INSERT INTO refused_pin (singleton, source, return_value, refused_at)
                VALUES (1, \(refused.source), \(refused.returnValue), \(refused.at.seconds))
                """)
    }
}
