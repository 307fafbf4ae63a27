import IssuerStore

extension MemberRecord {
    init(_ member: FleetMember, keeper: String) {
        self.init(
            incarnation: member.incarnation, keeper: keeper, host: member.host, release: member.release,
            staleness: member.staleness)
    }

    func member(_ id: String) -> FleetMember {
        FleetMember(id: id, incarnation: incarnation, host: host, release: release, staleness: staleness)
    }
}

extension ReportRecord {
    /// - Parameter isBrief: names nothing.
    init(_ report: MemberReport, incarnation: String, isBrief: Bool = false) {
        let isBrief =
            isBrief || report.isBehindMuch
            || [report.draining, report.unserved, report.unusable].contains { $0.count > MemberReport.limit }
        let unserved = isBrief ? [] : report.unserved.sorted()
        let named = FollowingFrontend.naming(report.followers)
        let withdrawn = named.reduce(into: Set<String>()) { $0.formUnion($1.unserved) }.subtracting(report.unserved).sorted()
            .prefix(isBrief ? 0 : FollowingFrontend.deletionLimit)
        let followers = named.map { FollowerRecord($0, among: unserved + withdrawn) }
        self.init(
            incarnation: incarnation, revision: report.revision, draining: isBrief ? [] : report.draining.sorted(),
            unserved: unserved, unusable: isBrief ? [] : report.unusable.sorted(), behind: isBrief, frontends: report.frontends,
            followers: followers.isEmpty ? nil : followers, withdrawn: withdrawn.isEmpty ? nil : Array(withdrawn))
    }

    var report: MemberReport {
        MemberReport(
            revision: revision, draining: Set(draining), unserved: Set(unserved), unusable: Set(unusable),
            isBehindMuch: behind, frontends: frontends,
            followers: (followers ?? []).map { $0.follower(among: unserved + (withdrawn ?? [])) })
    }
}

extension FollowerRecord {
    fileprivate init(_ follower: FollowingFrontend, among issuers: [String]) {
        self.init(
            number: follower.name?.number, uid: follower.name?.uid, user: follower.name?.user, pid: follower.name?.pid,
            count: follower.count, staleAfter: follower.staleAfter,
            behind: issuers.indices.filter { follower.unserved.contains(issuers[$0]) })
    }

    fileprivate func follower(among issuers: [String]) -> FollowingFrontend {
        let name: FollowingFrontend.Name? =
            if let number, let uid, let pid { FollowingFrontend.Name(number: number, uid: uid, user: user, pid: pid) } else {
                nil
            }
        return FollowingFrontend(
            name: name, count: count, staleAfter: staleAfter,
            unserved: Set(behind.filter(issuers.indices.contains).map { issuers[$0] }))
    }
}
