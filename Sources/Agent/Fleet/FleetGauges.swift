import IssuerStore
import Metrics

/// What an agent's metrics say of the store that it shares with others. There are none of these where the store is its own.
struct FleetGauges: Sendable {
    private let confirmed = Gauge(label: "privyseal_store_confirmed_seconds_ago")
    private let signsFor = Gauge(label: "privyseal_store_signs_for_seconds")
    private let revision = Gauge(label: "privyseal_store_revision")
    private let present = Gauge(label: "privyseal_fleet_agents")
    private let away = Gauge(label: "privyseal_fleet_agents_away")
    private let behind = Gauge(label: "privyseal_fleet_agents_behind")

    func record(_ standing: FleetStanding) {
        confirmed.record(standing.confirmedSecondsAgo ?? -1)
        signsFor.record(standing.signsForSeconds)
        revision.record(standing.revision)
        present.record(standing.members.count(where: \.isPresent))
        away.record(standing.members.count { !$0.isPresent })
        behind.record(standing.members.count { $0.isBehind(standing.headRevision) })
    }
}

extension FleetStanding.Member {
    /// Whether it has not said that it goes by everything committed up to the revision.
    func isBehind(_ head: Int64) -> Bool {
        guard isPresent, let report else { return isPresent }
        return report.revision < head || report.isBehind
    }
}

extension MemberReport {
    /// Whether something of its revision does not count for its agent yet.
    var isBehind: Bool {
        isBehindMuch || !draining.isEmpty || !unserved.isEmpty || !unusable.isEmpty
    }
}
