/// What the agent does to keys by itself is recorded as a note: no caller has asked for it.
extension AuditLog: KeyJournal {
    func attempt(_ deed: String) async throws {
        try await recordOnDisk(note: deed)
    }

    func note(_ deed: String) {
        record(note: deed)
    }

    func begin(_ change: AuditChange) async throws {
        try await recordOnDisk(change)
    }

    func end(_ change: AuditChange) {
        record(change)
    }
}
