import Foundation
import GRDB
import KeyLifecycle

extension QuarantinedKey {
    init(_ row: Row) throws {
        self.init(
            keyID: try row.keyID("key_id"), kid: try row.decode(String?.self, forColumn: "kid"),
            issuer: try row.issuerName("issuer"),
            publicKey: try row.decode(Data?.self, forColumn: "public_key").map(Array.init), since: try row.timestamp("since"))
    }

    func insert(into database: Database) throws {
        try database.execute(
            literal: """
                INSERT INTO quarantined_key (key_id, kid, issuer, public_key, since)
                VALUES (\(keyID.blob), \(kid), \(issuer.text), \(publicKey.map { Data($0) }), \(since.seconds))
                """)
    }
}
