import IssuerStore

/// A fleet as this agent knows it, for `health`.
struct FleetStanding: Sendable {
    /// One agent of it.
    struct Member: Hashable, Sendable {
        let member: FleetMember
        let isOwn: Bool
        /// Whether it has said in the last 30 s that it is there.
        let isPresent: Bool
        let report: MemberReport?
    }

    /// By id.
    let members: [Member]
    /// The revision of the view that this agent goes by.
    let revision: Int64
    /// That of the last change in it.
    let headRevision: Int64
    /// Seconds since the store confirmed it; `nil` when it never did.
    let confirmedSecondsAgo: Int?
    /// Seconds for which this agent signs without another confirmation; 0 when it does not sign.
    let signsForSeconds: Int64
    /// Why the store could not be asked the last time.
    let trouble: StoreError?
    /// What is wrong with parts of the store, which works without them.
    let remarks: [StoreError]
    /// Why the store took nothing from this agent the last time, although it may be read.
    let silence: StoreError?
    /// That the store takes long for what this agent says.
    let slowness: StoreError?
    /// Why this agent signs nothing any more, for as long as it runs.
    let expulsion: StoreError?
    /// Published keys that this agent cannot use, by kid.
    let unusable: [String: HSMError]
}

extension StoreFollower {
    var standing: FleetStanding {
        FleetStanding(
            members: roster.entries.map { entry in
                FleetStanding.Member(
                    member: entry.member, isOwn: entry.member.incarnation == member.incarnation, isPresent: entry.clock != nil,
                    report: entry.report)
            },
            revision: view.revision, headRevision: view.head?.revision ?? 0, confirmedSecondsAgo: view.age(at: clock.monotonic()),
            signsForSeconds: secondsLeft, trouble: trouble, remarks: remarks, silence: silence, slowness: pace.trouble,
            expulsion: expulsion, unusable: progress.failures)
    }
}
