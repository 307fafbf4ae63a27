import KeyLifecycle

/// What the relying parties of an issuer hold: the longest-lived JWT of each key, kept apart from the domain's own sums.
struct IssuanceRecord {
    /// By kid.
    private(set) var latestExpiry: [String: Timestamp] = [:]
    /// By `iss`, then by kid.
    private(set) var latestExpiryByURL: [String: [String: Timestamp]] = [:]
    /// By kid: the latest reading of the clock at which it signed.
    private(set) var lastSignedAt: [String: Timestamp] = [:]

    /// The active key signs the longest-lived JWT that it may at `moment`.
    mutating func sign(_ issuer: Issuer, at moment: Timestamp) throws {
        guard let kid = issuer.ring.active?.kid else { return }
        let grant = try ClaimsPolicy(issuer).grant(.asking(lifetime: issuer.settings.maximumLifetime), at: moment)
        let expiry = Timestamp(seconds: grant.expiresAt)
        latestExpiry[kid] = max(latestExpiry[kid] ?? expiry, expiry)
        lastSignedAt[kid] = max(lastSignedAt[kid] ?? moment, moment)
        latestExpiryByURL[issuer.issuerURL, default: [:]][kid, default: expiry] =
            max(latestExpiryByURL[issuer.issuerURL]?[kid] ?? expiry, expiry)
    }

    /// The issuer as the agent plans from it: told of what it signed only where the clock has been set back since.
    func known(_ issuer: Issuer, at moment: Timestamp) -> Issuer {
        guard let kid = issuer.ring.active?.kid, let signedAt = lastSignedAt[kid], let expiry = latestExpiry[kid],
            signedAt > moment
        else { return issuer }
        return issuer.havingSigned(until: expiry)
    }
}
