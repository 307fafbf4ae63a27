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
        self.init(
            incarnation: incarnation, revision: report.revision, draining: isBrief ? [] : report.draining.sorted(),
            unserved: isBrief ? [] : report.unserved.sorted(), unusable: isBrief ? [] : report.unusable.sorted(),
            behind: isBrief, frontends: report.frontends)
    }

    var report: MemberReport {
        MemberReport(
            revision: revision, draining: Set(draining), unserved: Set(unserved), unusable: Set(unusable),
            isBehindMuch: behind, frontends: frontends)
    }
}
