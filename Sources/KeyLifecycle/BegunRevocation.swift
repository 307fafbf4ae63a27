/// A revocation that was ordered, whose fresh key is published, and which is not carried out yet.
///
/// Between the two commits of it the agent that has the order may end: whoever finds this goes on with it.
public struct BegunRevocation: Hashable, Sendable {
    /// The keys that were ordered to be revoked. Each is published.
    public let kids: [String]
    /// The key that was published to take over.
    public let successor: String
    /// When the first of the orders was begun.
    public let begunAt: Timestamp
    /// Whose the latest order is, where several agents share a store.
    public let by: Initiator?

    /// An agent, and which of its starts.
    public struct Initiator: Hashable, Sendable {
        public let agent: String
        public let incarnation: String

        public init(agent: String, incarnation: String) {
            self.agent = agent
            self.incarnation = incarnation
        }
    }

    /// For stores, which keep it as they were given it.
    public init(kids: [String], successor: String, begunAt: Timestamp, by: Initiator?) {
        self.kids = kids
        self.successor = successor
        self.begunAt = begunAt
        self.by = by
    }

    /// What is left of it in a ring; `nil` when nothing is.
    func left(in ring: KeyRing) -> BegunRevocation? {
        let published = kids.filter { ring[$0]?.state.isPublished == true }
        guard !published.isEmpty else { return nil }
        return BegunRevocation(kids: published, successor: successor, begunAt: begunAt, by: by)
    }
}

extension Issuer {
    /// Notes that the revocation of a key has been begun: `successor` is published for it.
    mutating func begin(
        revoking kid: String, successor: String, by initiator: BegunRevocation.Initiator?, at moment: Timestamp
    ) {
        let before = revoking?.kids.filter { $0 != kid } ?? []
        revoking = BegunRevocation(
            kids: before + [kid], successor: successor, begunAt: revoking?.begunAt ?? moment, by: initiator)
    }

    /// The plan that ends the revocations that have been begun, of which the given key's is one, with the key that was published for them;
    /// `nil` where there is none such, or its successor is no standby key any more.
    func endingRevocation(of kid: String, at moment: Timestamp) -> RotationPlan? {
        guard let revoking, revoking.kids.contains(kid), let standby = ring.standby, standby.kid == revoking.successor,
            !revoking.kids.contains(standby.kid)
        else { return nil }
        return plan(
            at: moment, incoming: .standby(kid: standby.kid, algorithm: standby.algorithm),
            activeRetires: !revoking.kids.contains(ring.active?.kid ?? ""), revoked: revoking.kids, isRevoking: true,
            isUnseen: true)
    }
}
