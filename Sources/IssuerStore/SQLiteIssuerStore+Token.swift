import GRDB

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
