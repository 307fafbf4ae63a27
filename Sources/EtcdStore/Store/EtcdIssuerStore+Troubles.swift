public import IssuerStore

extension EtcdIssuerStore {
    /// Members that do not answer or have raised an alarm, certificates on the disk that cannot be used, and what lies under the prefix
    /// that is another fleet's.
    public func troubles() async -> [StoreError] {
        var found: [EtcdError] = []
        for report in await gateway.examine() {
            if let trouble = report.trouble { found.append(trouble) }
            for alarm in report.alarms where alarm.member == report.member || report.member == 0 {
                found.append(.alarm(alarm.kind, at: report.endpoint))
            }
        }
        if let trouble = gateway.certificateTrouble { found.append(trouble) }
        var troubles = found.map { StoreError($0) }
        if let other = try? await Self.otherDeployment(than: deployment.id, gateway, layout.prefix) {
            troubles.append(.twoDeployments(under: layout.prefix, deployment.id, other))
        }
        return troubles
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
