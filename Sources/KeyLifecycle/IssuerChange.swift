/// One compare-and-swap commit: an issuer as it was and as it will be.
///
/// Nothing of it is true before a store has taken it.
public struct IssuerChange: Hashable, Sendable {
    public let name: IssuerName
    /// The generation it starts from; `nil` when the issuer is new.
    public let expectedGeneration: Int?
    /// The issuer afterwards; `nil` when it is deleted.
    public let issuer: Issuer?
    /// Keys whose private half is to be destroyed once this is committed.
    public let destroyed: [SigningKey]
    /// The effective moment, never before that of an earlier change.
    public let at: Timestamp

    init(creating issuer: Issuer) {
        name = issuer.name
        expectedGeneration = nil
        self.issuer = issuer
        destroyed = []
        at = issuer.createdAt
    }

    init(from before: Issuer, to after: Issuer, at moment: Timestamp) {
        name = before.name
        expectedGeneration = before.generation
        issuer = after
        destroyed = before.ring.published.filter { key in after.ring[key.kid]?.state.isPublished != true }
        at = moment
    }

    init(deleting issuer: Issuer, at moment: Timestamp) {
        name = issuer.name
        expectedGeneration = issuer.generation
        self.issuer = nil
        destroyed = issuer.ring.published
        at = max(moment, issuer.changedAt)
    }
}
