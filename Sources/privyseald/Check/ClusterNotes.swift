import AgentSettings
import EtcdStore

extension StoreSetting {
    /// What the members of an etcd cluster say of themselves that is worth knowing, a line each; nothing of another store.
    ///
    /// - Throws: `EtcdError` when no endpoint can be used, or when they are of different clusters; `PlatformError` for a file that
    ///   cannot be relied on.
    func clusterNotes() async throws -> [String] {
        guard case .etcd(let etcd) = self else { return [] }
        let gateway = try etcd.gateway()
        do {
            let notes = try await gateway.check().flatMap(\.notes)
            await gateway.close()
            return notes
        } catch {
            await gateway.close()
            throw error
        }
    }
}

extension EtcdEndpointReport {
    /// What is to be said of it at a start.
    var notes: [String] {
        var notes: [String] = []
        if let trouble { notes.append("\(trouble.message): \(trouble.hint)") }
        if let remark { notes.append(remark) }
        for alarm in alarms where alarm.member == member {
            notes.append("etcd at \(endpoint) has raised the alarm \(alarm.kind)" + (alarm.kind == "NOSPACE" ? Self.space : ""))
        }
        if trouble == nil, leader == 0 { notes.append("etcd at \(endpoint) knows no leader: a majority of the members must run") }
        return notes
    }

    private static let space =
        ": it takes no change until there is room; compact and defragment it, raise --quota-backend-bytes, then etcdctl alarm disarm"
}
