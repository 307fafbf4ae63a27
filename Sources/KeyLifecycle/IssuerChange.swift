/// One compare-and-swap commit: an issuer as it was and as it will be.
///
/// Nothing of it is true before a store has taken it.
public struct IssuerChange: Hashable, Sendable {
    public let name: IssuerName
    /// The generation it starts from; `nil` when the issuer is new.
    public let expectedGeneration: Int?
    /// The issuer afterwards; `nil` when it is deleted.
    public let issuer: Issuer?
    /// Keys whose private half is to be destroyed once this is committed. One that was lost with its token is not among
    /// them: there is nothing to destroy.
    public let destroyed: [SigningKey]
    /// Key pairs on the token that are put in quarantine, whether they were in the ring or not.
    public let quarantined: [QuarantinedKey]
    /// A key that enters the ring without having been generated for it: one the token had before.
    public let retained: KeyID?
    /// The effective moment, never before that of an earlier change.
    public let at: Timestamp

    init(creating issuer: Issuer, retained: KeyID? = nil, quarantined: [QuarantinedKey] = []) {
        name = issuer.name
        expectedGeneration = nil
        self.issuer = issuer
        destroyed = []
        self.quarantined = quarantined
        self.retained = retained
        at = issuer.createdAt
    }

    init(
        from before: Issuer, to after: Issuer, at moment: Timestamp, retained: KeyID? = nil,
        quarantined: [QuarantinedKey] = []
    ) {
        name = before.name
        expectedGeneration = before.generation
        var left = after
        left.revoking = after.revoking?.left(in: after.ring)
        issuer = left
        let kept = Set(quarantined.map(\.keyID))
        destroyed = before.ring.published.filter { key in
            let now = after.ring[key.kid]
            return now?.state.isPublished != true && now?.lostAt == nil && !kept.contains(key.keyID)
        }
        self.quarantined = quarantined
        self.retained = retained
        at = moment
    }

    init(deleting issuer: Issuer, at moment: Timestamp) {
        name = issuer.name
        expectedGeneration = issuer.generation
        self.issuer = nil
        destroyed = issuer.ring.published.filter { $0.lostAt == nil }
        quarantined = []
        retained = nil
        at = max(moment, issuer.changedAt)
    }
}
