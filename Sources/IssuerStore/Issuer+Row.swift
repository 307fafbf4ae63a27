import GRDB
import KeyLifecycle

extension Issuer {
    /// - Throws: `StoreError` with `.corrupt`, naming the issuer, when settings or key ring break the rules of the domain.
    init(_ row: Row, acceptedIssuers: [AcceptedIssuer], keys: [SigningKey]) throws {
        let url = try row.decode(String?.self, forColumn: "url")
        self.init(
            name: try row.issuerName("name"), generation: try row.decode(forColumn: "generation"),
            createdAt: try row.timestamp("created_at"), changedAt: try row.timestamp("changed_at"),
            settings: try IssuerSettings(row), profile: url.map { .enabled(url: $0) } ?? .disabled,
            acceptedIssuers: acceptedIssuers, ring: KeyRing(keys: keys),
            lastRotationAt: try row.optionalTimestamp("last_rotation_at"),
            maxAgeHorizon: try row.optionalTimestamp("max_age_horizon"),
            rotationRequestedAt: try row.optionalTimestamp("rotation_requested_at"), revoking: try BegunRevocation(row))
        if let violation = ring.violations.first {
            throw StoreError.corrupt("the key ring of the issuer \(name) is broken: \(violation)")
        }
        do {
            try settings.validate()
        } catch {
            throw StoreError.corrupt("the issuer \(name) has settings out of bounds: \(error)", cause: error)
        }
    }

    /// - Throws: GRDB's `DatabaseError` for a constraint when there is an issuer of this name.
    func insert(into database: Database) throws {
        try database.execute(
            literal: """
                INSERT INTO issuer (
                  name, generation, created_at, changed_at, algorithm, rsa_bits, default_issuer, lifetime, maximum_lifetime,
                  overlap, jwks_max_age, not_before_skew, standby, rotate_every, url, last_rotation_at, max_age_horizon,
                  rotation_requested_at, revoking_kids, revoking_successor, revoking_since, revoking_agent, revoking_incarnation
                ) VALUES (
                  \(name.text), \(generation), \(createdAt.seconds), \(changedAt.seconds), \(settings.algorithm.rawValue),
                  \(settings.rsaBits), \(settings.defaultIssuer), \(settings.lifetime), \(settings.maximumLifetime),
                  \(settings.overlap), \(settings.jwksMaxAge), \(settings.notBeforeSkew), \(settings.standby),
                  \(settings.rotateEvery), \(profile.url), \(lastRotationAt?.seconds), \(maxAgeHorizon?.seconds),
                  \(rotationRequestedAt?.seconds), \(revoking?.kidList), \(revoking?.successor), \(revoking?.begunAt.seconds),
                  \(revoking?.by?.agent), \(revoking?.by?.incarnation)
                )
                """)
    }

    /// Replaces the stored issuer if it has the expected generation; returns whether it had.
    func replace(in database: Database, expecting expected: Int) throws -> Bool {
        try database.execute(
            literal: """
                UPDATE issuer SET
                  generation = \(generation), changed_at = \(changedAt.seconds), algorithm = \(settings.algorithm.rawValue),
                  rsa_bits = \(settings.rsaBits), default_issuer = \(settings.defaultIssuer), lifetime = \(settings.lifetime),
                  maximum_lifetime = \(settings.maximumLifetime), overlap = \(settings.overlap),
                  jwks_max_age = \(settings.jwksMaxAge), not_before_skew = \(settings.notBeforeSkew),
                  standby = \(settings.standby), rotate_every = \(settings.rotateEvery), url = \(profile.url),
                  last_rotation_at = \(lastRotationAt?.seconds), max_age_horizon = \(maxAgeHorizon?.seconds),
                  rotation_requested_at = \(rotationRequestedAt?.seconds), revoking_kids = \(revoking?.kidList),
                  revoking_successor = \(revoking?.successor), revoking_since = \(revoking?.begunAt.seconds),
                  revoking_agent = \(revoking?.by?.agent), revoking_incarnation = \(revoking?.by?.incarnation)
                WHERE name = \(name.text) AND generation = \(expected)
                """)
        return database.changesCount == 1
    }
}

extension BegunRevocation {
    fileprivate init?(_ row: Row) throws {
        guard let kids = try row.decode(String?.self, forColumn: "revoking_kids") else { return nil }
        let agent = try row.decode(String?.self, forColumn: "revoking_agent")
        let incarnation = try row.decode(String?.self, forColumn: "revoking_incarnation")
        self.init(
            kids: kids.split(separator: " ").map(String.init), successor: try row.decode(forColumn: "revoking_successor"),
            begunAt: try row.timestamp("revoking_since"),
            by: agent.flatMap { agent in incarnation.map { Initiator(agent: agent, incarnation: $0) } })
    }

    fileprivate var kidList: String { kids.joined(separator: " ") }
}

extension IssuerSettings {
    fileprivate init(_ row: Row) throws {
        self.init(
            algorithm: try row.algorithm("algorithm"), rsaBits: try row.decode(forColumn: "rsa_bits"),
            defaultIssuer: try row.decode(forColumn: "default_issuer"), lifetime: try row.decode(forColumn: "lifetime"),
            maximumLifetime: try row.decode(forColumn: "maximum_lifetime"), overlap: try row.decode(forColumn: "overlap"),
            jwksMaxAge: try row.decode(forColumn: "jwks_max_age"),
            notBeforeSkew: try row.decode(forColumn: "not_before_skew"), standby: try row.decode(forColumn: "standby"),
            rotateEvery: try row.decode(Int?.self, forColumn: "rotate_every"))
    }
}

extension OIDCProfile {
    fileprivate var url: String? {
        switch self {
        case .enabled(let url): url
        case .disabled: nil
        }
    }
}
