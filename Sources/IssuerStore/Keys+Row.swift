import Foundation
import GRDB
import KeyLifecycle

extension SigningKey {
    init(_ row: Row) throws {
        let state = try row.decode(String.self, forColumn: "state")
        guard let state = KeyState(rawValue: state) else {
            throw StoreError.corrupt("the store has a key in the unknown state \(state)")
        }
        self.init(
            kid: try row.decode(forColumn: "kid"), keyID: try row.keyID("key_id"), algorithm: try row.algorithm("algorithm"),
            publicKey: Array(try row.decode(Data.self, forColumn: "public_key")), state: state,
            publishedAt: try row.timestamp("published_at"), knownFrom: try row.timestamp("known_from"),
            activatedAt: try row.optionalTimestamp("activated_at"), retiringAt: try row.optionalTimestamp("retiring_at"),
            expiresAt: try row.optionalTimestamp("expires_at"), retiredAt: try row.optionalTimestamp("retired_at"),
            revokedAt: try row.optionalTimestamp("revoked_at"), latestExpiry: try row.optionalTimestamp("latest_expiry"),
            lostAt: try row.optionalTimestamp("lost_at"))
    }

    func insert(into database: Database, issuer: IssuerName, position: Int) throws {
        try database.execute(
            literal: """
                INSERT INTO signing_key (
                  kid, key_id, issuer, position, algorithm, public_key, state, published_at, known_from, activated_at,
                  retiring_at, expires_at, retired_at, revoked_at, latest_expiry, lost_at
                ) VALUES (
                  \(kid), \(keyID.blob), \(issuer.text), \(position), \(algorithm.rawValue), \(Data(publicKey)),
                  \(state.rawValue), \(publishedAt.seconds), \(knownFrom.seconds), \(activatedAt?.seconds),
                  \(retiringAt?.seconds), \(expiresAt?.seconds), \(retiredAt?.seconds), \(revokedAt?.seconds),
                  \(latestExpiry?.seconds), \(lostAt?.seconds)
                )
                """)
    }

    /// Writes what can change of a stored key.
    func update(in database: Database) throws {
        try database.execute(
            literal: """
                UPDATE signing_key SET
                  state = \(state.rawValue), activated_at = \(activatedAt?.seconds), retiring_at = \(retiringAt?.seconds),
                  expires_at = \(expiresAt?.seconds), retired_at = \(retiredAt?.seconds),
                  revoked_at = \(revokedAt?.seconds), latest_expiry = \(latestExpiry?.seconds),
                  lost_at = \(lostAt?.seconds)
                WHERE kid = \(kid)
                """)
    }
}

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
