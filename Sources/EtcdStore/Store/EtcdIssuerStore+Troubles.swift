public import IssuerStore

extension EtcdIssuerStore {
    /// Members that do not answer or have raised an alarm, and certificates on the disk that cannot be used.
    public func troubles() async -> [StoreError] {
        var found: [EtcdError] = []
        for report in await gateway.examine() {
            if let trouble = report.trouble { found.append(trouble) }
            for alarm in report.alarms where alarm.member == report.member || report.member == 0 {
                found.append(.alarm(alarm.kind, at: report.endpoint))
            }
        }
        if let trouble = gateway.certificateTrouble { found.append(trouble) }
        return found.map { StoreError($0) }
    }
}

extension EtcdError {
    /// What a member has raised.
    fileprivate static func alarm(_ kind: String, at endpoint: EtcdEndpoint) -> EtcdError {
        guard kind != "NOSPACE" else { return .noSpace(at: endpoint) }
        return EtcdError(
            .unreadable, "etcd at \(endpoint) has raised the alarm \(kind)",
            hint: "see etcd's log; a member whose data is corrupt is removed and added anew")
    }
}
